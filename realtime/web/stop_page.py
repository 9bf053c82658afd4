"""`/stop/TOKEN`: where whoever was sent something stops it, or all of it but the call. Looking changes nothing; a mail program's one click (RFC 8058) does."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope

from realtime.errors import NotFound
from realtime.operations.opt_outs import Choice
from realtime.web import addresses
from realtime.web.context import Context
from realtime.web.endpoint import read_body
from realtime.web.pages import Page, render, spoken

PATH = "/stop/{token}"
LONGEST_TOKEN = 128
_STEPS = {b"step=again": Choice.ALL, b"step=calls": Choice.CALLS}


async def look(context: Context, scope: Scope, receive: Receive) -> Response:
    return _page(context, scope, await context.opt_outs.chosen(_token(scope)))


async def send(context: Context, scope: Scope, receive: Receive) -> Response:
    """Stop, or with `step=calls` all but the call, or with `step=again` take that back. Whoever has the link may: a mail program sends no cookie, and says nothing of where it is."""
    token = _token(scope)
    context.limits.use_link(addresses.client(scope))
    # Mail programs send the one field in either of a form's two encodings (RFC 8058 section 3.1).
    body = await read_body(scope, receive, context.settings.max_body_bytes)
    choice = next((choice for said, choice in _STEPS.items() if said in body), Choice.NONE)
    await context.opt_outs.choose(token, choice)
    return _page(context, scope, choice)


def _token(scope: Scope) -> str:
    token: str = scope["path_params"]["token"]
    if len(token) > LONGEST_TOKEN:
        raise NotFound
    return token


def _page(context: Context, scope: Scope, choice: Choice) -> Response:
    return render(context, "stop.html", words=spoken(scope), choice=choice.value)


def route(context: Context) -> Route:
    return Route(PATH, Page(context, PATH, {"GET": look, "POST": send}))
