"""The way of a mail to its server: connection, TLS, sign-in, and what the server's answer means."""

from __future__ import annotations

import asyncio
import re
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from notifiers.email.attachments import attach, parts
from notifiers.email.callbacks import EmailCallbacks
from notifiers.email.letter import Letters, Unsendable, recipient
from notifiers.email.moments import TOLD
from notifiers.email.pool import SERVICE_ENDS, Connection, Pool
from realtime.errors import BadSettings
from realtime.hookspecs import Accepted, Outcome, OutgoingDelivery, Permanent, Preview, Retry, Sent

GREYLISTED_RETRY_S = 300.0
REFUSED_RETRY_S = 120.0
MISCONFIGURED_RETRY_S = 1800.0
_REST_S = 10.0
"""What is left for reading the report and for goodbye, beside the time for the mail server."""
_SERVER_REFUSES_US = frozenset({454, 530, 534, 535, 538})
"""RFC 4954: something is wrong with how we sign in, not with the message."""
_UNCERTIFIED = Retry("The mail server's certificate could not be checked. See smtp_url.", MISCONFIGURED_RETRY_S, provider_down=True)
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")


class EmailNotifier:
    """Sends one mail per delivery, to one recipient. TLS is required and its certificate checked, unless `allow_plain`.

    With a `callback_secret` it hears later what became of a mail, so one to a guest is accepted at first, and not yet known to have arrived.
    A connection that breaks while the message goes out leaves open whether it arrived; the next attempt carries the same Message-ID.
    Raises: BadSettings.
    """

    name = "email"

    def __init__(
        self,
        url: str,
        mail_from: str,
        *,
        deadline_s: float,
        allow_plain: bool = False,
        tls: ssl.SSLContext | None = None,
        callback_secret: str = "",
    ) -> None:
        server = urlsplit(url)
        if server.scheme not in ("smtp", "smtps") or not server.hostname:
            raise BadSettings("smtp_url must be smtp://USER:PASSWORD@HOST:587 or smtps://USER:PASSWORD@HOST:465")
        name, address = parseaddr(mail_from)
        try:
            self._from = Address(display_name=name, addr_spec=address)
        except (ValueError, IndexError, MessageError) as error:
            raise BadSettings("mail_from must be an address such as queue@example.com or Luigi's <queue@example.com>") from error
        self._hostname, self._port = server.hostname, server.port or (465 if server.scheme == "smtps" else 587)
        self._tls_from_start = server.scheme == "smtps"
        self._starttls = None if allow_plain and not self._tls_from_start else not self._tls_from_start
        self._username = unquote(server.username) if server.username else None
        self._password = unquote(server.password) if server.password else None
        self._tls = tls or ssl.create_default_context()
        self._patience_s = deadline_s
        self.deadline_s = deadline_s + _REST_S
        self.callback = EmailCallbacks(callback_secret) if callback_secret else None
        self._letters = Letters(self._from, callback_secret)
        self._pool = Pool(self._connection)

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        try:
            message = await asyncio.to_thread(self._letters.write, delivery)
            if delivery.delivery.needs_report:
                for part in await parts(delivery.report):
                    await asyncio.to_thread(attach, message, part)
        except Unsendable as error:
            return Permanent(str(error))
        except OSError:
            return Retry("The report could not be read whole. It is tried again.")
        try:
            async with asyncio.timeout(self._patience_s):
                await self._pool.send(message, self._from.addr_spec, recipient(delivery.delivery.recipient).addr_spec)
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error)
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused(error.recipients[0])
        except aiosmtplib.SMTPNotSupported:
            return Permanent("The mail server does not take addresses with letters outside ASCII.")
        except (ssl.SSLError, ssl.CertificateError):
            return _UNCERTIFIED
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            return Retry(f"The mail server did not finish within {self._patience_s:g} s.", REFUSED_RETRY_S, provider_down=True)
        except (OSError, aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected) as error:
            return _unconnected(error)
        except aiosmtplib.SMTPException as error:
            # aiosmtplib has no class for a missing extension; these texts are its own, not the server's.
            missing = (
                "STARTTLS; set smtp_allow_plain only if nobody can listen" if "STARTTLS" in error.message else "what is needed to sign in"
            )
            return Retry(f"The mail server does not offer {missing}.", MISCONFIGURED_RETRY_S, provider_down=True)
        told_later = self.callback and delivery.delivery.moment in TOLD
        return (Accepted if told_later else Sent)(str(message["Message-ID"]))

    async def close(self) -> None:
        self._pool.close()

    def preview(self, delivery: OutgoingDelivery) -> Preview:
        """The mail that would go out; its report is named in it, not attached."""
        try:
            message = self._letters.write(delivery)
        except Unsendable as error:
            return Preview(text=str(error))
        text, page = message.get_body(("plain",)), message.get_body(("html",))
        return Preview(
            subject=str(message["Subject"]), text=str(text.get_content()) if text else "", html=str(page.get_content()) if page else ""
        )

    def _connection(self) -> Connection:
        return Connection(
            hostname=self._hostname,
            port=self._port,
            username=self._username,
            password=self._password,
            local_hostname=self._from.domain,
            timeout=self._patience_s,
            use_tls=self._tls_from_start,
            start_tls=self._starttls,
            tls_context=self._tls,
        )


def _refused(error: aiosmtplib.SMTPResponseException | aiosmtplib.SMTPRecipientRefused) -> Outcome:
    """What the server's code means. Its text is left out but for the enhanced code (RFC 3463): servers like to repeat the address."""
    enhanced = _ENHANCED.search(error.message)
    answer = f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError) or error.code in _SERVER_REFUSES_US:
        why = f"The mail server does not let us sign in ({answer}). Check the user and password in smtp_url."
        return Retry(why, MISCONFIGURED_RETRY_S, provider_down=True)
    if isinstance(error, aiosmtplib.SMTPConnectResponseError | aiosmtplib.SMTPHeloError) or error.code == SERVICE_ENDS:
        return Retry(f"The mail server takes no mail at the moment ({answer}).", REFUSED_RETRY_S, provider_down=True)
    if error.code < 500:
        # RFC 5321, 4.5.4.1: a greylisting server wants to see the same mail again some minutes later.
        return Retry(f"The mail server asks to try again later ({answer}).", GREYLISTED_RETRY_S)
    return Permanent(f"The mail server refused the mail ({answer}).")


def _unconnected(error: Exception) -> Retry:
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, ssl.SSLError):
        return _UNCERTIFIED
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return Retry("The mail server closed the connection. The mail may have arrived all the same.", REFUSED_RETRY_S, provider_down=True)
    return Retry("The mail server could not be reached.", provider_down=True)
