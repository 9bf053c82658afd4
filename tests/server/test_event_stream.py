"""The sink of an event stream on a network that a test holds back: order, bounds, the hub's rules for the slow, and the limits."""

from __future__ import annotations

import asyncio
import json

from starlette.types import Message

from realtime.frames import APPLICATION_PING, text_frame
from realtime.hub import Hub
from realtime.server.event_stream import EventStream, serve
from realtime.server.limits import STREAM_PATH, SocketLimits, of_addresses
from tests.support.waiting import until_async

TOPIC = "store/s/public"


def push(seq: int, text: str = "") -> bytes:
    return b'{"topic":"%b","seq":%d,"at_ms":1,"text":"%b"}' % (TOPIC.encode(), seq, text.encode())


def whole(seq: int) -> bytes:
    return b'{"topic":"%b","epoch":"e","seq":%d,"recovered":false,"snapshot":{}}' % (TOPIC.encode(), seq)


class Network:
    """What `send` and `receive` lead to. While it is blocked nothing is taken."""

    def __init__(self) -> None:
        self.sent = b""
        self.over = False
        self.open = asyncio.Event()
        self.open.set()
        self.left = asyncio.Event()

    async def send(self, message: Message) -> None:
        await self.open.wait()
        self.sent += message["body"]
        self.over = not message["more_body"]

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    def serve(self, stream: EventStream, **scope: object) -> asyncio.Task[None]:
        return asyncio.create_task(serve(stream, {"type": "http", **scope}, self.receive, self.send))


async def test_what_is_written_goes_out_in_order_as_events() -> None:
    network, taken = Network(), list[str]()
    stream = EventStream([TOPIC], lambda: taken.append("ping"))
    serving = network.serve(stream)

    stream.tell("signed_in", b"{}")
    stream.write(text_frame(whole(4)) + text_frame(push(4)) + text_frame(push(5)) + APPLICATION_PING)
    stream.write(text_frame(b'{"disconnect":{"code":1012,"after_ms":1850}}'))
    stream.close(1012, "Back soon.")
    stream.write(text_frame(push(6)))
    await asyncio.wait_for(serving, 5)

    assert network.sent == (
        b"event: signed_in\ndata: {}\n\n"
        b"id: e:4\ndata: "
        + whole(4)
        + b"\n\nid: e:4\ndata: "
        + push(4)
        + b"\n\nid: e:5\ndata: "
        + push(5)
        + b'\n\n:\n\nretry: 1850\ndata: {"disconnect":{"code":1012,"after_ms":1850}}\n\n'
        + b'event: close\ndata: {"code":1012,"reason":"Back soon."}\n\n'
    )
    assert network.over
    assert taken == ["ping"]
    assert stream.buffered_bytes() == 0


async def test_a_ping_that_is_not_taken_is_not_answered() -> None:
    network, taken = Network(), list[str]()
    stream = EventStream([TOPIC], lambda: taken.append("ping"))
    network.open.clear()
    serving = network.serve(stream)
    stream.write(APPLICATION_PING)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not taken

    network.open.set()

    await until_async(lambda: taken)
    network.left.set()
    await asyncio.wait_for(serving, 5)


async def test_a_close_that_nobody_takes_is_followed_by_the_end_of_the_connection() -> None:
    network, dropped = Network(), asyncio.Event()
    stream = EventStream([TOPIC], lambda: None)
    network.open.clear()

    def abort() -> None:
        dropped.set()
        network.left.set()

    serving = network.serve(stream, extensions={"realtime.abort": abort})
    await asyncio.sleep(0)
    stream.write(text_frame(push(1)))
    stream.close(4008, "Too slow.")

    await asyncio.wait_for(dropped.wait(), 5)
    await asyncio.wait_for(serving, 5)
    assert stream.buffered_bytes() == 0


async def test_a_slow_reader_gets_one_fresh_state_and_one_that_stops_is_given_up() -> None:
    """The hub's rules are the same for every sink."""
    network = Network()
    stream = EventStream([TOPIC], lambda: None)
    fresh = b'{"topic":"%b","epoch":"e","seq":50,"conflated":true,"snapshot":{}}' % TOPIC.encode()
    reads = 0

    async def snapshot(topic: str) -> tuple[bytes, int]:
        nonlocal reads
        reads += 1
        return text_frame(fresh), 0

    hub = Hub(soft_bytes=2_000, hard_bytes=20_000, max_age_s=0.5, window_ms=0, snapshot=snapshot)
    running = asyncio.create_task(hub.run())
    serving = network.serve(stream)
    hub.subscribe(TOPIC, stream).start(text_frame(whole(0)))
    await until_async(lambda: stream.buffered_bytes() == 0)
    network.open.clear()
    for seq in range(1, 51):
        hub.publish(TOPIC, push(seq, "x" * 500))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert stream.buffered_bytes() < 6_000

    network.open.set()
    await until_async(lambda: b'"conflated":true' in network.sent, what="a fresh state")
    assert reads == 1
    assert network.sent.endswith(b"id: e:50\ndata: " + fresh + b"\n\n")

    network.open.clear()
    for seq in range(51, 80):
        hub.publish(TOPIC, push(seq, "x" * 500))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await until_async(lambda: hub.subscribers(TOPIC) == 0, what="the reader to be given up")
    network.open.set()
    await asyncio.wait_for(serving, 5)
    last = network.sent.split(b"\n\n")[-2]
    assert json.loads(last.rpartition(b"data: ")[2])["code"] == 4008
    running.cancel()


async def test_streams_count_as_sockets_and_other_requests_never_do() -> None:
    release, inside = asyncio.Event(), 0

    async def app(scope: object, receive: object, send: object) -> None:
        nonlocal inside
        inside += 1
        await release.wait()

    limits = SocketLimits(app, most=2, addresses=of_addresses(1))
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    def ask(address: str, path: str = STREAM_PATH) -> asyncio.Future[None]:
        return asyncio.ensure_future(limits({"type": "http", "path": path, "client": (address, 1)}, receive, send))

    first = ask("10.0.0.1")
    await asyncio.sleep(0)
    await ask("10.0.0.1")
    assert (sent[0]["type"], sent[0]["status"]) == ("http.response.start", 503)
    assert (b"retry-after", b"10") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["code"] == "overloaded"

    second, other = ask("10.0.0.2"), ask("10.0.0.1", "/v1/live")
    await asyncio.sleep(0)
    await ask("10.0.0.3")
    assert inside == 3
    assert len(sent) == 4

    release.set()
    await asyncio.gather(first, second, other)
    await ask("10.0.0.1")
    assert inside == 4
