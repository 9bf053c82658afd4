"""A real SMTP server that keeps every mail it is given, and can be told to misbehave."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass, field
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.hanging_up import Controller
from tests.support.process import free_port
from tests.support.waiting import until


@dataclass
class Mail:
    """One mail as it came over the wire."""

    sender: str
    recipients: list[str]
    raw: bytes
    message: EmailMessage = field(init=False)

    def __post_init__(self) -> None:
        self.message = email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def subject(self) -> str:
        return str(self.message["subject"])

    @property
    def text(self) -> str:
        """The plain text part."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""

    @property
    def html(self) -> str:
        part = self.message.get_body(("html",))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""

    def attachments(self) -> dict[str, bytes]:
        """File name -> content."""
        return {str(part.get_filename()): part.get_payload(decode=True) for part in self.message.iter_attachments()}  # type: ignore[misc]  # bytes, as these are no multiparts


class MailServer:
    """Start with `with`. `url` is what belongs in smtp_url; it needs smtp_allow_plain."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.answers: list[str] = []
        """What the next mails are answered with instead of being taken, in order: "451 try later", "550 no such user"."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        content: Any = envelope.content
        self.mails.append(Mail(str(envelope.mail_from), [str(one) for one in envelope.rcpt_tos], bytes(content)))
        return "250 OK"

    def __enter__(self) -> Self:
        self._start(free_port())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _start(self, port: int) -> None:
        self._controller: Controller | None = Controller(self, hostname="127.0.0.1", port=port, ready_timeout=20)
        self._controller.start()
        self.port = port

    def stop(self) -> None:
        """Connections are refused from now on."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def start_again(self) -> None:
        """On the same port."""
        self._start(self.port)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, address: str) -> list[Mail]:
        """The mails to one address so far."""
        return [mail for mail in self.mails if address in mail.recipients]

    def wait_for(self, count: int = 1, within: float = 20.0, to: str = "") -> list[Mail]:
        """Waits until there are `count` mails (to one address), and returns them."""
        return (
            until(lambda: found if len(found := self.to(to) if to else list(self.mails)) >= count else None, within, f"{count} mails") or []
        )
