"""The way of a request whose path is one of the HTTP API, letter by letter: straight to its endpoints, past the list of routes."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime.web.endpoint import Resource


class Exact:
    """ASGI middleware. What it does not know goes the usual way; a `Resource` answers its own errors and needs nothing on that way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._known: dict[str, Resource] = {}
        self._routes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (found := self._find(scope)) is not None:
            await found(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _find(self, scope: Scope) -> Resource | None:
        app: Starlette = scope["app"]
        if len(app.routes) != self._routes:  # routes are added when the application has started
            self._routes = len(app.routes)
            self._known = {
                route.path: route.app
                for route in app.routes
                if isinstance(route, Route) and isinstance(route.app, Resource) and not route.param_convertors
            }
        return None if scope.get("root_path") else self._known.get(scope["path"])
