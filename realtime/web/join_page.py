"""`/j/CODE`: where the QR code leads. Looking uses nothing up; without JavaScript two forms scan and join."""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope

from realtime import checks, messages
from realtime.errors import (
    BadMessage,
    CodeExpired,
    CodeUsed,
    InvalidInput,
    NowServingError,
    QueueNotFound,
    QueuePaused,
    Refused,
    StoreClosed,
    StoreNotFound,
)
from realtime.languages import preferred
from realtime.reading import refusal
from realtime.web import addresses, held, problems
from realtime.web.context import Context
from realtime.web.endpoint import read_body
from realtime.web.pages import Page, render, spoken
from realtime.web.problems import WrongContentType
from realtime.web.security import refuse_cross_site

PATH = "/j/{code}"
FIELDS = ("name", "queue", "party", "phone", "email")
_DEAD_ENDS = (CodeUsed, CodeExpired, StoreClosed, StoreNotFound)
"""With these there is nothing to correct in a form; the person is told where to go."""
_CORRECTABLE = (InvalidInput, Refused, QueuePaused, QueueNotFound)


async def look(context: Context, scope: Scope, receive: Receive) -> Response:
    """The page a scanned code leads to. Previews, reloads and HEAD leave the code as it is."""
    code = scope["path_params"]["code"]
    try:
        found = await context.reception.code_page(code)
    except _DEAD_ENDS as error:
        return _dead_end(context, scope, error)
    tickets = context.cookies(scope).read_tickets(scope)
    if tickets and await held.in_line(context.reception, tickets, found.store.id, context.public_base(scope)):
        return RedirectResponse("/ticket", 303)
    # While nobody can join, a fresh code would lead no further than this one.
    if found.state in {"expired", "used"} and not all(queue.paused for queue in found.queues):
        return _dead_end(context, scope, CodeExpired() if found.state == "expired" else CodeUsed(), found.store)
    return _form(context, scope, _data(code, found, scanned=False), found.store)


async def send(context: Context, scope: Scope, receive: Receive) -> Response:
    """One of the two forms: `step=scan` makes the code this phone's, `step=join` joins with it."""
    refuse_cross_site(context, scope, cookie=True)
    form = await read_form(scope, receive, context.settings.max_body_bytes)
    context.limits.join(addresses.client(scope))
    try:
        if form.get("step") == "scan":
            return await _scan(context, scope, scope["path_params"]["code"])
        if form.get("step") == "join":
            return await _join(context, scope, scope["path_params"]["code"], form)
    except _DEAD_ENDS as error:
        return _dead_end(context, scope, error)
    raise BadMessage("That form could not be read. Go back and try again.")


async def _scan(context: Context, scope: Scope, code: str) -> Response:
    cookies = context.cookies(scope)
    key = cookies.read(scope, cookies.phone) or secrets.token_urlsafe(16)
    tickets = cookies.read_tickets(scope)
    scanned = await context.reception.scan(code, messages.ScanCode(key), tickets, base=context.public_base(scope))
    if scanned.ticket:
        return RedirectResponse("/ticket", 303)
    response = _form(context, scope, _data(code, scanned, scanned=True), scanned.store)
    response.headers.append("Set-Cookie", cookies.set_phone(key, context.ticket_seconds))
    return response


async def _join(context: Context, scope: Scope, code: str, form: dict[str, str]) -> Response:
    cookies = context.cookies(scope)
    values = {name: form.get(name, "") for name in FIELDS}
    try:
        languages = preferred(addresses.header(scope, b"accept-language") or "")
        request = _request(code, cookies.read(scope, cookies.phone), values)
        joined = await context.reception.join(request, base=context.public_base(scope), languages=languages)
    except _CORRECTABLE as error:
        found = await context.reception.code_page(code)
        field = (error.field or "").rpartition(".")[2]
        errors = {field if field in FIELDS else "": spoken(scope).fault(error)}
        data = _data(code, found, scanned=True)
        return _form(context, scope, data, found.store, status=error.status, values=values, errors=errors)
    response = RedirectResponse("/ticket", 303)
    tokens = [ticket.token for ticket in joined.tickets]
    response.headers.append("Set-Cookie", cookies.set_tickets(tokens, cookies.read_tickets(scope), context.ticket_seconds))
    return response


def _request(code: str, key: str, values: dict[str, str]) -> messages.Join:
    """The form's values as the API takes them. Raises: InvalidInput."""
    people = values["party"].strip()
    party = {**values, "party": int(people) if re.fullmatch("[0-9]{1,4}", people) else people}
    try:
        return msgspec.convert({"code": code, "key": key, "parties": [party]}, messages.Join)
    except msgspec.ValidationError as error:
        raise refusal(error, messages.Join) from error


async def read_form(scope: Scope, receive: Receive, most: int) -> dict[str, str]:
    """The fields of an HTML form, the first of each name.

    Raises:
        BadMessage, TooLarge, WrongContentType
    """
    sent = (addresses.header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if sent != "application/x-www-form-urlencoded":
        raise WrongContentType("Send the form as it is on the page.")
    data = await read_body(scope, receive, most)
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=20, encoding="utf-8", errors="strict")
    except ValueError as error:
        raise BadMessage("That form could not be read. Go back and try again.") from error
    return dict(reversed(pairs))


def _form(context: Context, scope: Scope, data: dict[str, Any], store: messages.StoreView, **more: Any) -> Response:
    country = context.settings.phone_region or checks.region_of(store.timezone)
    return render(context, "join.html", data, words=spoken(scope), tells=context.tells, country=country, **more)


def _data(code: str, found: messages.CodePage | messages.ScannedCode, *, scanned: bool) -> dict[str, Any]:
    views: dict[str, Any] = msgspec.to_builtins({"store": found.store, "queues": found.queues, "waiting": found.waiting})
    return {"code": code, "scanned": scanned, **views}


def _dead_end(context: Context, scope: Scope, error: NowServingError, store: messages.StoreView | None = None) -> Response:
    more: dict[str, Any] = {"page_data": {"store": msgspec.to_builtins(store)}, "store": store} if store else {}
    return problems.page(error, context.templates, spoken(scope), "join_problem.html", **more)


def route(context: Context) -> Route:
    return Route(PATH, Page(context, PATH, {"GET": look, "POST": send}))
