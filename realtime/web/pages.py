"""The pages: which template stands at which address, with what it is told. Looking at a page changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jinja2 import DictLoader, Environment, PackageLoader, select_autoescape
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from realtime.errors import NotFound, NowServingError
from realtime.server import refusing
from realtime.server.protection import POLICY
from realtime.web import problems
from realtime.web.addresses import header, is_secure
from realtime.web.context import Context
from realtime.web.phrasebook import ENGLISH, Phrasebook, chosen
from realtime.web.problems import MethodNotAllowed, UpgradeRequired, document

SHELLS: Mapping[str, str] = {
    "/open": "open.html",
    "/signin": "signin.html",
    "/forgot": "forgot.html",
    "/reset": "reset.html",
    "/confirm": "confirm.html",
    "/account": "account.html",
    "/counter": "counter.html",
    "/t": "ticket_link.html",
    "/board": "board.html",
    "/operator": "operator.html",
    "/messages": "messages.html",
    "/outbox": "outbox.html",
    "/docs": "docs.html",
}
"""Pages that are the same for everybody; what is personal comes to them through the API."""
GUESTS = frozenset({"ticket_link.html", "board.html"})
"""Those of them that guests see, in their own language."""
SHOWING_MAILS = frozenset({"messages.html", "outbox.html"})
MAIL_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""They show mails in a sandboxed frame, which has its page's policy, and mails bring their styles along. No picture is fetched from elsewhere."""
SHELL_CACHE = "private, no-cache"

Answer = Callable[[Context, Scope, Receive], Awaitable[Response]]


def templates() -> Environment:
    """All templates, read now, so that no page waits for a disk; each is compiled when it is first needed. Reads files: not for the event loop."""
    environment = Environment(autoescape=select_autoescape(default=True), auto_reload=False, cache_size=-1, trim_blocks=True)
    # What owners see is in English.
    environment.globals["words"] = ENGLISH
    folder = PackageLoader("realtime.web")
    environment.loader = DictLoader({name: folder.get_source(environment, name)[0] for name in folder.list_templates()})
    return environment


def compile_all(templates: Environment) -> None:
    """Compile what has not been needed yet. It takes as long as a quarter of a start: not for the event loop."""
    for name in templates.list_templates():
        templates.get_template(name)


def spoken(scope: Scope) -> Phrasebook:
    """The language of whoever asks for a page."""
    return chosen(header(scope, b"accept-language") or "")


def render(
    context: Context,
    name: str,
    page_data: Any = None,
    *,
    words: Phrasebook | None = None,
    status: int = 200,
    cache: str = "no-store",
    **more: Any,
) -> HTMLResponse:
    """A page. `words` are those of its language, where it is one that guests see."""
    text = context.templates.get_template(name).render(page_data=page_data or {}, words=words or ENGLISH, **more)
    return HTMLResponse(text, status, {"Cache-Control": cache, **(problems.in_language(words) if words else {})})


class Page:
    """One address that people look at, as an ASGI application."""

    __name__ = "page"

    def __init__(self, context: Context, path: str, answers: Mapping[str, Answer]) -> None:
        self._context = context
        self._path = path
        self._answers = {**answers, "HEAD": answers["GET"]}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answers.get(scope["method"])
        try:
            if answer is None:
                raise MethodNotAllowed(", ".join(sorted(self._answers)))
            response = await answer(self._context, scope, receive)
        except NowServingError as error:
            response = refuse(self._context, scope, error)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the last resort: one request fails, the process goes on
            response = refuse(self._context, scope, problems.unexpected(error, f"{scope['method']} {self._path}"))
        await response(scope, receive, send)


def refuse(context: Context, scope: Scope, error: NowServingError) -> Response:
    """An error as a page for people, as a problem document for programs."""
    if "text/html" in (header(scope, b"accept") or "") and not scope["path"].startswith("/v1/"):
        return problems.page(error, context.templates, spoken(scope))
    return problems.document(error)


def shell(name: str) -> Answer:
    async def show(context: Context, scope: Scope, receive: Receive) -> Response:
        response = render(context, name, words=spoken(scope) if name in GUESTS else None, cache=SHELL_CACHE)
        if name in SHOWING_MAILS:
            response.headers["Content-Security-Policy"] = MAIL_POLICY
        return response

    return show


async def landing(context: Context, scope: Scope, receive: Receive) -> Response:
    cookies = context.cookies(scope)
    return render(context, "landing.html", {"signed_in": bool(cookies.read(scope, cookies.session))}, cache=SHELL_CACHE)


async def forgot(context: Context, scope: Scope, receive: Receive) -> Response:
    return render(context, "forgot.html", {"can_mail": context.accounts.can_mail()}, cache=SHELL_CACHE)


async def account(context: Context, scope: Scope, receive: Receive) -> Response:
    return render(context, "account.html", {"ed25519": context.webhooks.ed25519}, cache=SHELL_CACHE)


class Nowhere:
    """Every address that is none of ours."""

    __name__ = "nowhere"

    def __init__(self, context: Context) -> None:
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await refuse(self._context, scope, NotFound())(scope, receive, send)


class NoHandshake:
    """The address of the live socket, asked for like a page."""

    __name__ = "no_handshake"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await document(UpgradeRequired())(scope, receive, send)


class NoSocket:
    """Every address at which there is no live socket."""

    __name__ = "no_socket"

    def __init__(self, context: Context) -> None:
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        secure = is_secure(scope, self._context.settings.public_url)
        await refusing.refuse(NotFound(), scope, receive, send, secure=secure)


def routes(context: Context) -> list[Route]:
    answers: dict[str, Answer] = {
        "/": landing,
        **{path: shell(name) for path, name in SHELLS.items()},
        "/forgot": forgot,
        "/account": account,
    }
    return [Route(path, Page(context, path, {"GET": answer})) for path, answer in answers.items()]
