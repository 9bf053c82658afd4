"""What the HTTP figure is compared with besides: a POST that does nothing, in a Starlette application of its own, served as the program is."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.routing import Route

from bench.join_server import PATH, empty
from realtime import logs
from realtime.server.limits import of_addresses
from realtime.server.run import serve
from realtime.settings import Settings


class Nothing:
    """A lifecycle without anything to end."""

    def __init__(self, settings: Settings) -> None:
        self.addresses = of_addresses(settings.max_sockets_per_address)

    def warm_up(self) -> None:
        pass

    def begin_drain(self) -> None:
        pass

    async def disconnect_all(self, budget_s: float) -> None:
        pass


def main() -> int:
    settings = Settings.load(os.environ)
    logs.configure(settings.log_level)
    routes = [Route(PATH, empty, methods=["POST"]), Route("/healthz", empty)]
    return serve(Starlette(routes=routes), settings, Nothing(settings))


if __name__ == "__main__":
    raise SystemExit(main())
