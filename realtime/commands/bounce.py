"""`nowserving bounce`: tell a running server of a mail that came back, for the mailbox to which such mails go."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import BinaryIO
from urllib.parse import urlencode

from realtime import delivery_report
from realtime.commands.rehearse import address
from realtime.delivery_report import Report
from realtime.errors import CannotStart
from realtime.settings import Settings
from realtime.signed_callbacks import HEADER, delivery_of, sign

SENTENCE = (
    "Read one delivery report (RFC 3464) from the standard input and tell the server whose mail came back; for a line in /etc/aliases."
)
MOST_BYTES = 1 << 20
"""Of a mail that are read; the rest is taken and thrown away."""
PATIENCE_S = 30.0
LATER = 75
"""EX_TEMPFAIL of sysexits.h: a mail server keeps the mail and tries again."""
_PATH = "/v1/callbacks/email/status"


def options(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("--url", type=address, metavar="URL", help="the server (this machine's, at the port of the settings)")


def main(arguments: argparse.Namespace) -> int:
    """Returns 0 when the server was told, or there is nothing to tell; 75 when the server could not be told now. Raises: CannotStart."""
    settings = Settings.load(os.environ, arguments.settings)
    secret = settings.email_callback_secret
    if not secret:
        raise CannotStart(
            "email_callback_secret is not set. Set it for the server and for this command, to the same text of at least 16 characters."
        )
    report = delivery_report.read(_mail(sys.stdin.buffer))
    if report is None:
        print("Nothing to tell: this is no delivery report (RFC 3464), or the mail that it is about is still on its way.")
        return 0
    recipient = next((each for each in report.recipients if delivery_of(secret, report.message_id, each)), "")
    if not recipient:
        print("Nothing to tell: the mail that came back is none that this server sent to that address.")
        return 0
    return _tell(arguments.url or f"http://127.0.0.1:{settings.port}", secret, report, recipient)


def _mail(stream: BinaryIO) -> bytes:
    mail = stream.read(MOST_BYTES)
    while stream.read(MOST_BYTES):
        continue  # who writes a mail into a pipe that nobody reads fails
    return mail


def _tell(base: str, secret: str, report: Report, recipient: str) -> int:
    import urllib.error  # as only this command needs it, and every command loads this file
    import urllib.request

    fields = {
        "event": report.event,
        "to": recipient,
        "message_id": report.message_id,
        "kind": "permanent" if report.permanent else "transient",
        "reason": report.reason,
    }
    body = urlencode(fields, errors="replace").encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", HEADER: sign(secret, "status", body, int(time.time()))}
    asked = urllib.request.Request(base + _PATH, body, headers, method="POST")  # noqa: S310 - http or https, as checked
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_S):  # noqa: S310 - as above
            print("The server was told.")
            return 0
    except urllib.error.HTTPError as error:
        why = {
            403: "email_callback_secret differs from the server's, or one of the clocks is wrong",
            404: "it has no email_callback_secret",
        }
        print(f"{base} refused it ({error.code}): {why.get(error.code, 'see its log')}. Try again later.", file=sys.stderr)
    except (OSError, ValueError):
        print(f"Nobody answers as nowserving at {base}. Start the server, or name another with --url.", file=sys.stderr)
    return LATER
