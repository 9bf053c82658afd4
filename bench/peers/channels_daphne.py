"""The peer Django Channels: an asynchronous consumer, the in-memory channel layer, and daphne, its own server."""

from __future__ import annotations

import asyncio

from realtime.server.listener import allow_files

allow_files()

import django  # noqa: E402 - Twisted reads the limit of open files when it is imported
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 - as above
from channels.layers import get_channel_layer  # noqa: E402 - as above
from daphne.server import Server  # noqa: E402 - it installs Twisted's asyncio reactor
from django.conf import settings  # noqa: E402 - as above
from twisted.internet import reactor  # noqa: E402 - as above

from bench.peers import control  # noqa: E402 - as above
from bench.program import free_port  # noqa: E402 - as above

MOST_WAITING = 100_000
"""Messages that may wait for one consumer: the layer drops what is over it without a word, and the default is 100."""


class Live(AsyncWebsocketConsumer):
    """A subscriber."""

    connected = 0

    async def connect(self) -> None:
        await self.channel_layer.group_add("line", self.channel_name)
        await self.accept()
        Live.connected += 1

    async def disconnect(self, code: int) -> None:
        Live.connected -= 1
        await self.channel_layer.group_discard("line", self.channel_name)

    async def line_message(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["text"])


def main() -> None:
    settings.configure(
        CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": MOST_WAITING}}}
    )
    django.setup()
    port = free_port()
    kept: list[object] = []

    async def tell(number: int) -> None:
        layer = get_channel_layer()
        for _ in range(number):
            await layer.group_send("line", {"type": "line.message", "text": control.message().decode()})

    def publish(number: int) -> None:
        task = asyncio.get_running_loop().create_task(tell(number))
        kept.append(task)
        task.add_done_callback(kept.remove)

    async def listen() -> None:
        orders = await control.listen(publish, lambda: Live.connected)
        kept.append(orders)
        print(port, control.port_of(orders), flush=True)

    server = Server(
        application=Live.as_asgi(),
        endpoints=[f"tcp:port={port}:interface=127.0.0.1:backlog=2048"],
        signal_handlers=False,
        ping_interval=600,
        ping_timeout=600,
        ready_callable=lambda: kept.append(asyncio.get_event_loop().create_task(listen())),
    )
    assert reactor is not None
    server.run()


if __name__ == "__main__":
    main()
