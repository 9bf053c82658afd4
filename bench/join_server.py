"""The program with one more route: a POST that does nothing, in Starlette, for the HTTP figure to be compared with on the same server."""

from __future__ import annotations

import os

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from realtime import logs
from realtime.app import create_app
from realtime.server.run import serve
from realtime.settings import Settings

PATH = "/empty"


async def empty(request: Request) -> Response:
    return Response()


def main() -> int:
    settings = Settings.load(os.environ)
    logs.configure(settings.log_level)
    app, lifecycle = create_app(settings)
    app.router.routes.insert(0, Route(PATH, empty, methods=["POST"]))
    return serve(app, settings, lifecycle)


if __name__ == "__main__":
    raise SystemExit(main())
