"""A mail that comes back, from the mailbox it comes to: `nowserving bounce` against a running server, and what strangers write there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.flows.client import Owner, join, letters, off_loop, open_store, visitor
from tests.support.mail import MailServer
from tests.support.process import ServerProcess, clean_environment, free_port
from tests.support.waiting import until_async
from tests.test_delivery_report import report

SECRET = "a secret of our own"
ANN = "ann@example.org"


def bounce(server: ServerProcess, mail: bytes, *arguments: str, secret: str = SECRET) -> tuple[int, str]:
    """Its exit code, and its sentence."""
    environment = clean_environment(PORT=str(server.port), NOWSERVING_EMAIL_CALLBACK_SECRET=secret)
    command = [sys.executable, "-m", "realtime", "bounce", *arguments]
    done = subprocess.run(command, input=mail, capture_output=True, check=False, env=environment, timeout=50)
    said = (done.stdout + done.stderr).decode()
    assert "Traceback" not in said
    assert said.count("\n") == 1, said
    return done.returncode, said


def returned(message_id: str, status: str = "5.1.1") -> bytes:
    """The mail to Ann, as her mail server sends it back."""
    return report(status=status).replace(b"<shop-12-0.abc@example.com>", message_id.encode())


async def notices(owner: Owner) -> list[dict[str, Any]]:
    return [notice for ticket in (await owner.snapshot())["tickets"] for notice in ticket["notices"]]


async def until_states(owner: Owner, *wanted: str) -> None:
    async def are_so() -> bool:
        return [each["state"] for each in await notices(owner)] == list(wanted)

    await until_async(are_so, what=f"the notices {wanted}")


@pytest.fixture
def mailing(server: Serve, smtp_sink: MailServer) -> ServerProcess:
    return server(
        smtp_url=smtp_sink.url, smtp_allow_plain=True, mail_from="queue@example.com", email_callback_secret=SECRET, call_ladder=["email:0"]
    )


async def test_a_mail_that_comes_back_is_on_the_ticket_and_nothing_more_is_sent_there(
    mailing: ServerProcess, smtp_sink: MailServer
) -> None:
    async with open_store(mailing) as owner, visitor(mailing) as phone:
        await join(owner, phone, "Ann", email=ANN)
        (mail,) = await letters(smtp_sink, ANN)
        await until_states(owner, "accepted")
        came_back = returned(str(mail.message["Message-ID"]))

        for _ in range(2):
            assert await off_loop(lambda: bounce(mailing, came_back)) == (0, "The server was told.\n")

        (notice,) = await notices(owner)
        assert (notice["state"], notice["why"]) == ("undelivered", "There is no such mailbox (5.1.1).")
        await owner.call_next()
        await until_states(owner, "undelivered", "suppressed")
        assert (await notices(owner))[-1]["why"] == "Messages to this address came back."
        assert len(smtp_sink.to(ANN)) == 1


async def test_one_that_comes_back_for_now_is_on_the_ticket_and_the_next_is_sent(mailing: ServerProcess, smtp_sink: MailServer) -> None:
    async with open_store(mailing) as owner, visitor(mailing) as phone:
        await join(owner, phone, "Ann", email=ANN)
        (mail,) = await letters(smtp_sink, ANN)
        await until_states(owner, "accepted")

        assert await off_loop(lambda: bounce(mailing, returned(str(mail.message["Message-ID"]), "4.2.2"))) == (0, "The server was told.\n")

        await until_states(owner, "undelivered")
        await owner.call_next()
        await letters(smtp_sink, ANN, 2)
        await until_states(owner, "undelivered", "accepted")


async def test_what_strangers_write_there_changes_nothing(mailing: ServerProcess, smtp_sink: MailServer) -> None:
    async with open_store(mailing) as owner, visitor(mailing) as phone:
        await join(owner, phone, "Ann", email=ANN)
        (mail,) = await letters(smtp_sink, ANN)
        await until_states(owner, "accepted")
        known = str(mail.message["Message-ID"])
        theirs = b"bo@example.org"

        for made_up in (
            returned(known.replace(".", "x")),
            returned("<shop-12-0@example.com>"),
            returned(known).replace(ANN.encode(), theirs).replace(b"Ann@example.org", theirs),
        ):
            code, said = await off_loop(lambda mail=made_up: bounce(mailing, mail))
            assert (code, said.partition(":")[0]) == (0, "Nothing to tell")
        for junk in (b"", b"\0" * 3_000_000, b"Subject: hello\n\nIs this the right address?\n"):
            code, said = await off_loop(lambda mail=junk: bounce(mailing, mail))
            assert (code, said.partition(":")[0]) == (0, "Nothing to tell")

        await until_states(owner, "accepted")
        await owner.call_next()
        await letters(smtp_sink, ANN, 2)


async def test_what_cannot_be_told_now_is_kept_by_the_mail_server(
    mailing: ServerProcess, server: Serve, smtp_sink: MailServer, tmp_path: Path
) -> None:
    async with open_store(mailing) as owner, visitor(mailing) as phone:
        await join(owner, phone, "Ann", email=ANN)
        (mail,) = await letters(smtp_sink, ANN)
        came_back = returned(str(mail.message["Message-ID"]))
        nowhere, elsewhere = (
            f"http://127.0.0.1:{free_port()}",
            await off_loop(lambda: server(database_url=f"sqlite:///{tmp_path}/elsewhere.db")),
        )

        assert await off_loop(lambda: bounce(mailing, came_back, "--url", nowhere)) == (
            75, f"Nobody answers as nowserving at {nowhere}. Start the server, or name another with --url.\n",
        )  # fmt: skip
        assert await off_loop(lambda: bounce(elsewhere, came_back)) == (
            75, f"http://127.0.0.1:{elsewhere.port} refused it (404): it has no email_callback_secret. Try again later.\n",
        )  # fmt: skip
    code, said = await off_loop(lambda: bounce(mailing, b"", secret=""))
    assert (code, said.startswith("nowserving cannot start. email_callback_secret is not set.")) == (2, True)
