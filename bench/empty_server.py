"""What the HTTP figure is compared with: a POST that does nothing, in Starlette, on the program's own server with its own settings."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from realtime import logs
from realtime.server.run import serve
from realtime.settings import Settings


class Nothing:
    """A lifecycle without anything to end."""

    def warm_up(self) -> None:
        pass

    def begin_drain(self) -> None:
        pass

    async def disconnect_all(self, budget_s: float) -> None:
        pass


async def empty(request: Request) -> Response:
    return Response()


def main() -> int:
    settings = Settings.load(os.environ)
    logs.configure(settings.log_level)
    routes = [Route("/v1/tickets", empty, methods=["POST"]), Route("/healthz", empty)]
    return serve(Starlette(routes=routes), settings, Nothing())


if __name__ == "__main__":
    raise SystemExit(main())
