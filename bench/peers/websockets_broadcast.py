"""The peer `websockets.broadcast`: one call for all connections of the library's own server."""

from __future__ import annotations

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.peers import control
from realtime.server.listener import allow_files


async def main() -> None:
    allow_files()
    connections: set[ServerConnection] = set()

    async def live(connection: ServerConnection) -> None:
        connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            connections.discard(connection)

    def publish(number: int) -> None:
        for _ in range(number):
            broadcast(connections, control.message().decode())

    async with serve(live, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=2048) as server:
        orders = await control.listen(publish, lambda: len(connections))
        print(server.sockets[0].getsockname()[1], control.port_of(orders), flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
