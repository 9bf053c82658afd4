"""A real SMTP server with TLS and sign-in that misbehaves at a chosen point of the conversation."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.hanging_up import Controller, hang_up
from tests.support.process import free_port

USER, PASSWORD = "queue@example.com", "p@ss/word"


class PostServer:
    """Start with `with`. `replies` say at which command it answers what, `once` does so for the next one only; "drop" there closes the
    connection instead, "hang" never answers. `open` are the connections that it has.

    `trusting` is a client's TLS context that accepts its certificate.
    """

    def __init__(self, tls: str = "", sign_in: bool = False) -> None:
        """`tls`: "" for none, "starttls" or "smtps"."""
        self.replies: dict[str, str] = {}
        self.once: dict[str, str] = {}
        self.open: set[Any] = set()
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.encrypted: list[bool] = []
        self._tls, self._sign_in = tls, sign_in

    def __enter__(self) -> Self:
        options: dict[str, Any] = {}
        if self._tls:
            authority = trustme.CA()
            certified = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(certified)
            self.trusting = ssl.create_default_context()
            authority.configure_trust(self.trusting)
            options = {"tls_context": certified, "require_starttls": True} if self._tls == "starttls" else {"ssl_context": certified}
        if self._sign_in:
            options |= {"authenticator": _authenticate, "auth_required": True, "auth_require_tls": self._tls != "smtps"}
        self.port, self._options = free_port(), options
        self._start()
        return self

    def _start(self) -> None:
        self._controller = Counting(self, hostname="127.0.0.1", port=self.port, ready_timeout=20, **self._options)
        self._controller.start()

    def restart(self) -> None:
        """It goes away with all its connections, and comes back."""
        self.end_all()
        self._controller.stop()
        self._start()

    def end_all(self) -> None:
        """As a server does that has seen enough of idle connections."""
        ended = asyncio.run_coroutine_threadsafe(self._abort_all(), self._controller.loop)
        ended.result(20)

    async def _abort_all(self) -> None:
        for each in list(self.open):
            each.transport.abort()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end_all()
        self._controller.stop()

    def forget(self) -> None:
        """As if it had just been started."""
        for kept in (self.replies, self.once, self.mails, self.envelopes, self.encrypted):
            kept.clear()

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        envelope.mail_from = address
        return await self._reply("MAIL", server)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        reply = await self._reply("RCPT", server)
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        reply = await self._reply("DATA", server)
        if reply.startswith("250"):
            content: Any = envelope.content
            self.mails.append(email.message_from_bytes(content, policy=email.policy.default))
            self.envelopes.append((str(envelope.mail_from), [str(one) for one in envelope.rcpt_tos]))
            self.encrypted.append(session.ssl is not None or self._tls == "smtps")
        return reply

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return await self._reply("QUIT", server, "221 Bye")

    async def handle_RSET(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return await self._reply("RSET", server)

    async def _reply(self, command: str, server: SMTP, otherwise: str = "250 OK") -> str:
        reply = self.once.pop(command, "") or self.replies.get(command, otherwise)
        if reply == "hang":
            await asyncio.Event().wait()
        if reply == "drop":
            transport: Any = server.transport
            transport.abort()
            return "421 gone"
        return reply


class Counting(Controller):
    """Keeps the connections of its server in `handler.open`."""

    def factory(self) -> SMTP:
        handler: Any = self.handler

        class Counted(SMTP):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                handler.open.add(self)
                super().connection_made(transport)

            def connection_lost(self, error: Exception | None) -> None:
                handler.open.discard(self)
                super().connection_lost(error)

        return Counted(handler, **self.SMTP_kwargs)


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    fits = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
    return AuthResult(success=fits, handled=False)


class _Deaf(asyncio.Protocol):
    """Takes a connection and says nothing, or closes it at once."""

    def __init__(self, open_: set[_Deaf], *, hangs: bool) -> None:
        self._open, self._hangs = open_, hangs

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._open.add(self)
        if not self._hangs:
            transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)


@asynccontextmanager
async def deaf_server(*, hangs: bool) -> AsyncIterator[int]:
    """A port where connections are taken and then never answered, or closed at once."""
    open_: set[_Deaf] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Deaf(open_, hangs=hangs), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await hang_up(server, open_)
        await server.wait_closed()
