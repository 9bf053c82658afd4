"""`/ticket`: a party's own page. Without JavaScript it loads itself again, which is how a call is seen, and a form gives the place up."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope

from realtime.errors import BadMessage, StoreClosed, TicketNotFound
from realtime.operations.opt_outs import Choice
from realtime.web import held, problems
from realtime.web.addresses import header
from realtime.web.context import Context
from realtime.web.join_page import read_form
from realtime.web.pages import Page, render, spoken
from realtime.web.security import refuse_cross_site

PATH = "/ticket"
_WISHES = {"messages": Choice.ALL, "only_calls": Choice.CALLS, "no_messages": Choice.NONE}


async def look(context: Context, scope: Scope, receive: Receive) -> Response:
    tokens = context.cookies(scope).read_tickets(scope)
    try:
        token, own = await held.shown(context.reception, tokens, context.public_base(scope))
    except TicketNotFound as error:
        # Who had one until the store closed has nothing to open again.
        may_have = not isinstance(error.__cause__, StoreClosed)
        return problems.page(error, context.templates, spoken(scope), "join_problem.html", may_have=may_have)
    if own.state == "called" and scope["method"] == "GET" and "prefetch" not in (header(scope, b"sec-purpose") or ""):
        with suppress(StoreClosed):
            await context.reception.seen(token, own.called_ms)
    page_data = msgspec.to_builtins(own)
    push = await context.push.state(tokens)
    page_data["push"] = msgspec.to_builtins(push) if push.key else None
    tells = context.tells
    reachable = bool((own.phone and tells.phone) or (own.email and tells.email))
    choice = await context.opt_outs.chosen_for(own.phone, own.email) if reachable else None
    return render(context, "ticket.html", page_data, words=spoken(scope), messages=choice.value if choice else "")


async def send(context: Context, scope: Scope, receive: Receive) -> Response:
    """The forms of the page: `step=leave` gives up the place of the ticket it shows, the others say what its party is told."""
    refuse_cross_site(context, scope, cookie=True)
    form = await read_form(scope, receive, context.settings.max_body_bytes)
    step = form.get("step")
    if step != "leave" and step not in _WISHES:
        raise BadMessage("That form could not be read. Go back and try again.")
    token, own = await held.shown(context.reception, context.cookies(scope).read_tickets(scope), context.public_base(scope))
    if step == "leave":
        await context.reception.leave(token)
    else:
        await context.opt_outs.choose_for(own.phone, own.email, choice=_WISHES[step])
    return RedirectResponse(PATH, 303)


def route(context: Context) -> Route:
    return Route(PATH, Page(context, PATH, {"GET": look, "POST": send}))
