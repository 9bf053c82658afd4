"""The web layer: HTTP API, pages and the live socket, each in a file of its own; this one joins their routes."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Lifespan

from realtime.settings import Settings
from realtime.web import (
    api_accounts,
    api_callbacks,
    api_jobs,
    api_live,
    api_messages,
    api_operator,
    api_push,
    api_schedules,
    api_stores,
    api_tickets,
    api_webhooks,
    api_wordings,
    asyncapi,
    endpoint,
    health,
    join_page,
    openapi,
    pages,
    service_worker,
    sse,
    stop_page,
    ticket_page,
)
from realtime.web.application import Application
from realtime.web.context import Context
from realtime.web.endpoint import Endpoint
from realtime.web.files import Files
from realtime.web.pages import NoHandshake, NoSocket, Nowhere
from realtime.web.pages import compile_all as compile_all
from realtime.web.pages import templates as templates
from realtime.web.security import SecurityHeaders
from realtime.web.sockets import Sockets as Sockets

STATIC = Path(__file__).parent / "static"

_DESCRIBED = (
    *api_stores.ENDPOINTS,
    *api_tickets.ENDPOINTS,
    *api_push.ENDPOINTS,
    *api_accounts.ENDPOINTS,
    *api_messages.ENDPOINTS,
    *api_jobs.ENDPOINTS,
    *api_schedules.ENDPOINTS,
    *api_webhooks.ENDPOINTS,
    *api_operator.ENDPOINTS,
    *api_callbacks.ENDPOINTS,
    *api_wordings.ENDPOINTS,
    *api_live.ENDPOINTS,
    *sse.ENDPOINTS,
    *health.ENDPOINTS,
    asyncapi.endpoint(),
)
ENDPOINTS: tuple[Endpoint, ...] = (*_DESCRIBED, openapi.endpoint(_DESCRIBED))
"""The whole HTTP API."""


def application(settings: Settings, lifespan: Lifespan[Starlette]) -> Starlette:
    """An application without routes yet: `app.router.routes.extend(routes(context))` once there is a context."""
    middleware = [Middleware(SecurityHeaders, public_url=settings.public_url)]
    return Application(settings.public_url, lifespan=lifespan, middleware=middleware)


def routes(context: Context, sockets: Sockets | None = None) -> list[BaseRoute]:
    """Everything this server answers to. `sockets` is what stands at `/live`; its `sweep` is the caller's to run."""
    return [
        *endpoint.routes(context, ENDPOINTS),
        *pages.routes(context),
        join_page.route(context),
        ticket_page.route(context),
        Route(service_worker.PATH, service_worker.ServiceWorker(directory=STATIC, check_dir=False)),
        stop_page.route(context),
        WebSocketRoute("/live", sockets or Sockets(context)),
        WebSocketRoute("/{path:path}", NoSocket(context)),
        Route("/live", NoHandshake()),
        Mount("/static", Files(directory=STATIC, check_dir=False)),
        Route("/{path:path}", Nowhere(context)),
    ]
