"""One endpoint of the HTTP API: declared once, from which its route and its description in OpenAPI are made."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from realtime import trace
from realtime.errors import InvalidInput, NotFound, NotSignedIn, NowServingError, QueueNotFound, StoreNotFound, TicketNotFound, TooLarge
from realtime.languages import preferred
from realtime.reading import read, refusal
from realtime.web import addresses, problems
from realtime.web.context import Context
from realtime.web.cookies import Cookies
from realtime.web.limits import Quota
from realtime.web.problems import MethodNotAllowed, WrongContentType
from realtime.web.security import refuse_cross_site

B = TypeVar("B")
SAFE = frozenset({"GET", "HEAD"})
_KEY = re.compile(r"[!-~]{1,128}")


class Auth(Enum):
    """Who may call an endpoint."""

    NOBODY = auto()
    """Everybody; nobody is asked who they are."""
    OWNER = auto()
    """Bearer access token of an account."""
    OWNER_IF_GIVEN = auto()
    """The same, or nothing at all."""
    SESSION = auto()
    """The owner's refresh cookie."""
    SESSION_IF_GIVEN = auto()
    """The same, or nothing at all."""
    TICKET = auto()
    """Bearer ticket token, or the ticket cookie."""
    LIVE = auto()
    """Bearer token that would open a socket, or the ticket cookie; the handler asks whose it is."""
    PROGRAM = auto()
    """Bearer token that an account made for a program; or the account's own access token."""
    OPERATOR = auto()
    """Bearer token of the settings: this installation's operator."""
    METRICS = auto()
    """The same, or the one for whoever collects figures."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of a path. What does not match it does not exist."""

    pattern: str
    description: str
    example: str | int
    missing: type[NowServingError]
    number: bool = False


PARAMETERS: Mapping[str, Parameter] = {
    "store_id": Parameter("^[A-Za-z0-9_-]{1,64}$", "The store.", "k3v9x2m4p7qa", StoreNotFound),
    "queue": Parameter("^[A-Z]$", "The queue's letter.", "A", QueueNotFound),
    "ticket": Parameter("^[1-9][0-9]{0,14}$", "The ticket's id.", 12, TicketNotFound, number=True),
    "code": Parameter("^[A-Za-z0-9_.-]{1,64}$", "What the QR code's link ends in.", "k3v9x2m4p7qa.Zm9vYmFyYmF6cXV4MTIzNA", NotFound),
    "token_id": Parameter("^[0-9a-f]{12}$", "The token's id, not its secret.", "0d6c1f4be2a9", NotFound),
    "job_id": Parameter("^[0-9]{1,19}$", "The job's id.", "1882668100000000017", NotFound),
    "owner": Parameter("^[A-Za-z0-9_-]{1,80}$", "The store or account that a job belongs to.", "k3v9x2m4p7qa", NotFound),
    "any_job": Parameter("^[A-Za-z0-9_-]{1,160}$", "The job's id.", "k3v9x2m4p7qa-12-0", NotFound),
    "schedule": Parameter("^[A-Za-z0-9_-]{1,64}$", "The schedule's name.", "nightly", NotFound),
    "webhook": Parameter("^[0-9a-f]{16}$", "The webhook.", "0d6c1f4be2a90c11", NotFound),
    "post": Parameter("^[A-Za-z0-9_-]{1,160}$", "The delivery's `webhook-id`.", "0d6c1f4be2a90c11-1764115200000-k3v9x2m4p7qa-12", NotFound),
    "notifier": Parameter("^[a-z][a-z0-9_-]{0,31}$", "The notifier whose provider calls.", "sms", NotFound),
    "kind": Parameter("^(status|inbound)$", "What it tells: what became of a message, or that somebody wrote back.", "status", NotFound),
    "version": Parameter("^[A-Za-z0-9_-]{1,64}$", "Which picture.", "a1b2c3d4e5f6", NotFound),
}
_PATTERNS = {name: re.compile(parameter.pattern) for name, parameter in PARAMETERS.items()}


class Call(Generic[B]):
    """One request to one endpoint, checked: who asks, for what, with which body."""

    __slots__ = ("account_id", "body", "context", "path", "program", "query", "quota", "receive", "scope", "status", "tickets")

    def __init__(
        self,
        context: Context,
        scope: Scope,
        path: Mapping[str, Any],
        body: B,
        account_id: str,
        tickets: tuple[str, ...],
        status: int,
        program: str = "",
    ) -> None:
        self.context = context
        self.scope = scope
        self.path = path
        self.body = body
        self.account_id = account_id
        """The signed-in owner, empty if there is none."""
        self.tickets = tickets
        """Secrets of the asker's tickets, the newest first."""
        self.status = status
        self.program = program
        """The token's id, where a program asks with one."""
        self.quota: Quota | None = None
        """What a rule leaves the asker; told with the answer."""
        self.receive: Receive | None = None
        """Tells when the client goes away, once its body was read."""
        self.query: Any = None
        """What was asked for behind the question mark, of the endpoint's type."""

    @property
    def client(self) -> str:
        """What this visitor's requests are counted under."""
        return addresses.client(self.scope)

    @property
    def cookies(self) -> Cookies:
        return self.context.cookies(self.scope)

    @property
    def seen_base(self) -> str:
        return self.context.seen_base(self.scope)

    @property
    def public_base(self) -> str:
        return self.context.public_base(self.scope)

    @property
    def languages(self) -> tuple[str, ...]:
        """What the asker's browser is set to."""
        return preferred(addresses.header(self.scope, b"accept-language") or "")

    @property
    def idempotency_key(self) -> str:
        """Raises: InvalidInput."""
        key = addresses.header(self.scope, b"idempotency-key")
        if key is None:
            return ""
        if not _KEY.fullmatch(key):
            raise InvalidInput("Use 1 to 128 letters, digits or signs as a key.", field="Idempotency-Key")
        return key

    @property
    def trace(self) -> str:
        """The trace that the request belongs to; see `realtime.trace`."""
        return trace.context(addresses.header(self.scope, b"traceparent"), addresses.header(self.scope, b"tracestate"))

    def answer(self, value: Any = None, cookies: Iterable[str] = (), *, location: str = "") -> Response:
        """The endpoint's answer: `value` as JSON, or nothing; and where to look further."""
        response = Response(status_code=self.status) if value is None else _Json(msgspec.json.encode(value), self.status)
        if self.quota is not None:
            response.raw_headers += self.quota.raw()
        response.raw_headers += [(b"set-cookie", cookie.encode("latin-1")) for cookie in cookies]
        if location:
            response.raw_headers.append((b"location", location.encode("latin-1")))
        return response


class _Json(Response):
    """JSON as it is. Starlette finds out what to say of a body; here that is known."""

    def __init__(self, body: bytes, status: int) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]


Handler = Callable[[Call[Any]], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    method: str
    path: str
    summary: str
    tag: str
    handler: Handler
    auth: Auth = Auth.NOBODY
    request: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    """Parameters behind the question mark."""
    scope: str = ""
    """What a program's token must allow."""
    response: Any = None
    """The type of the answer's JSON; None if it has no body."""
    status: int = 200
    errors: Sequence[type[NowServingError]] = ()
    """What can go wrong here besides what can go wrong everywhere."""
    idempotent: bool = False
    """Whether an Idempotency-Key makes the same answer come again."""
    tagged: bool = False
    """Whether its answer has an ETag, and If-None-Match makes it 304."""
    sets_cookie: bool = False
    located: bool = False
    """Whether its answer says in Location where to look further."""
    limited: bool = False
    """Whether one visitor may call it only so often."""
    media_type: str = "application/json"
    form: bool = False
    """Whether it takes a form of whatever fields as it is, in bytes, because somebody signed those."""

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def needs_body(self) -> bool:
        """Whether an empty body is refused; where every field may be left out, so may the body."""
        return self.request is not None and any(field.required for field in msgspec.structs.fields(self.request))


class Resource:
    """All endpoints of one path, as an ASGI application."""

    # Starlette asks a route's endpoint for its name.
    __name__: ClassVar[str] = "resource"

    def __init__(self, context: Context, endpoints: Sequence[Endpoint]) -> None:
        self.context = context
        self.endpoints = {endpoint.method: endpoint for endpoint in endpoints}
        if "GET" in self.endpoints:
            self.endpoints["HEAD"] = self.endpoints["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.respond(scope, receive)
        if response is not None:
            await response(scope, receive, send)

    async def respond(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer, whatever happens; None when nobody is left to be answered."""
        endpoint = self.endpoints.get(scope["method"])
        if endpoint is None:
            return problems.document(MethodNotAllowed(", ".join(sorted(self.endpoints))))
        try:
            return await endpoint.handler(await self._call(endpoint, scope, receive))
        except NowServingError as error:
            return problems.document(error.for_owner() if endpoint.auth is Auth.OWNER else error)
        except ClientDisconnect:
            return None
        except Exception as error:  # noqa: BLE001 - the last resort: one request fails, the process goes on
            return problems.document(problems.unexpected(error, f"{endpoint.method} {endpoint.path}"))

    async def _call(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Call[Any]:
        path = _path(scope)
        quota: Quota | None = None
        tickets: tuple[str, ...] = ()
        program = ""
        if endpoint.auth in {Auth.OPERATOR, Auth.METRICS}:
            account_id = ""
            self.context.operator(bearer(scope) or "", addresses.client(scope), metrics=endpoint.auth is Auth.METRICS)
        elif endpoint.auth is Auth.PROGRAM:
            account_id, program = await self._program(endpoint, bearer(scope) or "")
            quota = self.context.limits.program(program or account_id)
        else:
            account_id, tickets = self._who(endpoint, scope)
        body = await self._body(endpoint, scope, receive)
        call = Call(self.context, scope, path, body, account_id, tickets, endpoint.status, program)
        call.quota = quota
        call.receive = receive
        if endpoint.query is not None:
            call.query = _query(scope, endpoint.query)
        return call

    async def _program(self, endpoint: Endpoint, token: str) -> tuple[str, str]:
        """The account a program acts for, and the token's id, if it came with one of those. Raises: NotSignedIn, NotAllowed."""
        if token.count(".") == 2:
            return self.context.accounts.who(token), ""
        return await self.context.programs.who(token, endpoint.scope)

    def _who(self, endpoint: Endpoint, scope: Scope) -> tuple[str, tuple[str, ...]]:
        """The signed-in owner and the tickets held. Raises: NotSignedIn, CrossSite."""
        account_id, by_cookie = "", False
        if endpoint.auth is Auth.NOBODY:
            if scope["method"] not in SAFE:
                refuse_cross_site(self.context, scope, cookie=False)
            return "", ()
        token = bearer(scope)
        cookies = self.context.cookies(scope)
        tickets: tuple[str, ...] = ()
        if endpoint.auth is Auth.OWNER or (endpoint.auth is Auth.OWNER_IF_GIVEN and token is not None):
            account_id = self.context.accounts.who(token or "")
        elif endpoint.auth is Auth.TICKET and token is not None:
            tickets = (token,)
        elif endpoint.auth is Auth.TICKET or (endpoint.auth is Auth.LIVE and token is None):
            tickets, by_cookie = cookies.read_tickets(scope), True
            if not tickets:
                raise NotSignedIn("There is no ticket on this phone. Scan the code on the screen to get one.")
        elif endpoint.auth in {Auth.SESSION, Auth.SESSION_IF_GIVEN}:
            by_cookie = bool(cookies.read(scope, cookies.session))
        if scope["method"] not in SAFE and not account_id and (by_cookie or not tickets):
            refuse_cross_site(self.context, scope, cookie=by_cookie)
        return account_id, tickets

    async def _body(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Any:
        if endpoint.form:
            return await read_body(scope, receive, self.context.settings.max_body_bytes)
        if endpoint.request is None:
            return None
        data = await read_body(scope, receive, self.context.settings.max_body_bytes)
        if not data and not endpoint.needs_body:
            return endpoint.request()
        sent = addresses.header(scope, b"content-type") or ""
        if sent != "application/json" and sent.partition(";")[0].strip().lower() != "application/json":
            raise WrongContentType
        return read(data, endpoint.request)


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The request's body, never more than `most` bytes of it, whatever its Content-Length says.

    Raises:
        TooLarge
    """
    said = addresses.header(scope, b"content-length")
    if said and said.isascii() and said.isdigit() and (len(said) > 18 or int(said) > most):
        raise _too_large(most)
    parts, size = [], 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"That is more than the {most // 1024} KiB this server reads at once.")


def bearer(scope: Scope) -> str | None:
    """The token of an Authorization header; None without one. Another scheme counts as a token that is none of ours."""
    value = addresses.header(scope, b"authorization")
    if value is None:
        several = any(key == b"authorization" for key, _ in scope["headers"])
        return "" if several else None
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def routes(context: Context, endpoints: Sequence[Endpoint]) -> list[Route]:
    """One route per path. Routes are tried one after another, so paths without parameters, which are sooner compared, come first."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in sorted(endpoints, key=lambda endpoint: ("{" in endpoint.path, not endpoint.path.startswith("/v1/ticket"))):
        by_path.setdefault(endpoint.path, []).append(endpoint)
    return [Route(path, Resource(context, group), name=path) for path, group in by_path.items()]


def _query(scope: Scope, type_: type[msgspec.Struct]) -> Any:
    """Raises: InvalidInput."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True, max_num_fields=100):
        if name in found:
            raise InvalidInput("This is given twice. Give it once.", field=name)
        found[name] = value
    try:
        return msgspec.convert(found, type_, strict=False)
    except msgspec.ValidationError as error:
        raise refusal(error, type_) from error


def _path(scope: Scope) -> dict[str, Any]:
    """The parts of the path, checked. Raises: NotFound, of the kind that is missing."""
    found: dict[str, Any] = {}
    for name, value in (scope.get("path_params") or found).items():
        # Not `match`: "$" also matches before a line end at the end.
        if not _PATTERNS[name].match(value) or value.endswith("\n"):
            raise PARAMETERS[name].missing
        found[name] = int(value) if PARAMETERS[name].number else value
    return found
