"""Connections to one mail server that are kept for a while, because signing in takes longer than sending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import aiosmtplib

MOST_KEPT = 4
"""Connections that are kept while nothing is sent."""
IDLE_S = 30.0
"""One that was not used for so long is left; servers end them after some minutes (RFC 5321, 4.5.3.2.7), many sooner."""
MOST_MAILS = 100
"""One that carried so many is left; many servers end it by then."""
CHECK_S = 5.0
"""A kept one that does not answer so soon is left; the mail goes by another."""
SERVICE_ENDS = 421


class Connection(aiosmtplib.SMTP):
    """A connection that knows how much it carried, and whether its mail may have arrived."""

    mails = 0
    in_doubt = False
    """From the first byte of a mail's content on: what breaks now may have been delivered."""
    leaving: asyncio.TimerHandle | None = None

    async def data(self, message: str | bytes, /, **options: Any) -> aiosmtplib.SMTPResponse:
        self.in_doubt = True
        return await super().data(message, **options)


class Pool:
    """Sends each mail over a kept connection, else over a new one; several at once never share one.

    A kept connection is asked first whether it lives (RSET). One that breaks all the same, before the mail's content went out, costs
    nothing: the mail goes by a new one at once. After that it is in doubt, and nobody but the caller can decide.

    Args:
        make: makes a connection that is not connected yet.
    """

    def __init__(self, make: Callable[[], Connection], idle_s: float = IDLE_S) -> None:
        self._make = make
        self._idle_s = idle_s
        self._kept: list[Connection] = []
        self._closed = False

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Raises: OSError, aiosmtplib.SMTPException."""
        if connection := await self._healthy():
            try:
                await self._carry(connection, message, sender, recipient)
                return
            except (OSError, aiosmtplib.SMTPException) as error:
                if connection.in_doubt or not _is_broken(error):
                    raise
        connection = self._make()
        await connection.connect()
        await self._carry(connection, message, sender, recipient)

    def close(self) -> None:
        """Leave every connection that is kept, and keep none from now on."""
        self._closed = True
        while self._kept:
            self._leave(self._kept.pop())

    async def _healthy(self) -> Connection | None:
        while self._kept:
            connection = self._kept.pop()
            if connection.leaving:
                connection.leaving.cancel()
            lives = False
            try:
                if connection.is_connected:
                    await connection.rset(timeout=CHECK_S)
                    lives = True
                    return connection
            except (OSError, aiosmtplib.SMTPException):
                continue
            finally:
                if not lives:
                    connection.close()
        return None

    async def _carry(self, connection: Connection, message: EmailMessage, sender: str, recipient: str) -> None:
        connection.in_doubt = False
        connection.mails += 1
        usable = False
        try:
            await connection.send_message(message, sender=sender, recipients=[recipient])
            usable = True
        except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused) as error:
            usable = not _is_broken(error)
            raise
        finally:
            if usable and connection.is_connected:
                self._keep(connection)
            else:
                connection.close()

    def _keep(self, connection: Connection) -> None:
        if self._closed or len(self._kept) >= MOST_KEPT or connection.mails >= MOST_MAILS:
            self._leave(connection)
            return
        self._kept.append(connection)
        connection.leaving = asyncio.get_running_loop().call_later(self._idle_s, self._expire, connection)

    def _expire(self, connection: Connection) -> None:
        if connection in self._kept:
            self._kept.remove(connection)
            self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        """Say goodbye without waiting for the answer."""
        if connection.leaving:
            connection.leaving.cancel()
        transport: Any = connection.transport
        if connection.is_connected:
            transport.write(b"QUIT\r\n")
        connection.close()


def _is_broken(error: Exception) -> bool:
    """Whether the connection cannot be used any more."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return any(each.code == SERVICE_ENDS for each in error.recipients)
    return not isinstance(error, aiosmtplib.SMTPResponseException) or error.code == SERVICE_ENDS
