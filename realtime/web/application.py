"""The application: Starlette, with a short way for sockets and for the paths of the HTTP API that have no parameters."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime.server.protection import protected, protected_lines
from realtime.web import addresses
from realtime.web.endpoint import Resource

ANSWER = "realtime.answer"
"""What realtime.server offers for an answer that is known whole."""


class Application(Starlette):
    """A request for such a path, letter by letter, goes straight to its endpoints: they answer their own errors, and need nothing that
    stands on the long way but the headers that protect a browser. Everything else goes as Starlette has it."""

    def __init__(self, public_url: str, **options: Any) -> None:
        super().__init__(**options)
        self._public_url = public_url
        self._known: dict[str, Resource] = {}
        self._endpoints: dict[str, ASGIApp] = {}
        self._routes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if len(self.routes) != self._routes:  # routes are added when everything they need has started
            self._look()
        if kind == "websocket" and not scope.get("root_path") and (endpoint := self._endpoints.get(scope["path"])):
            await endpoint(scope, receive, send)
            return
        if kind != "http" or scope.get("root_path") or (resource := self._known.get(scope["path"])) is None:
            await super().__call__(scope, receive, send)
            return
        response = await resource.respond(scope, receive)
        if response is not None:
            secure = addresses.is_secure(scope, self._public_url)
            if ANSWER in scope.get("extensions", ()) and isinstance(response.body, bytes) and response.background is None:
                lines = protected_lines(response.raw_headers, secure)
                await send({"type": ANSWER, "status": response.status_code, "headers": lines, "body": response.body})
                return
            response.raw_headers = protected(response.raw_headers, secure)
            await response(scope, receive, send)

    def _look(self) -> None:
        self._routes = len(self.routes)
        self._known = {
            route.path: route.app
            for route in self.routes
            if isinstance(route, Route) and isinstance(route.app, Resource) and not route.param_convertors
        }
        self._endpoints = {
            route.path: route.app for route in self.routes if isinstance(route, WebSocketRoute) and not route.param_convertors
        }
