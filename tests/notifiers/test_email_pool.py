"""Connections to the mail server: kept, asked whether they live, replaced at once where nothing is in doubt, and left in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage

import aiosmtplib
import pytest

from notifiers.email import pool as pools
from notifiers.email.pool import MOST_KEPT, Connection, Pool
from tests.notifiers.post import PostServer
from tests.support.waiting import until_async

SENDER, RECIPIENT = "queue@example.com", "ann@example.com"


@pytest.fixture
def post() -> Iterator[PostServer]:
    with PostServer() as server:
        yield server


class Rig:
    """A pool before a server, and how many connections it made."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.made: list[Connection] = []
        self.pool = Pool(self._make)

    def _make(self) -> Connection:
        made = Connection(hostname="127.0.0.1", port=self.port, start_tls=False, timeout=20, local_hostname="example.com")
        self.made.append(made)
        return made

    async def send(self) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = SENDER, RECIPIENT, "Hello"
        message.set_content("Hello.")
        await self.pool.send(message, SENDER, RECIPIENT)


@pytest.fixture
async def rig(post: PostServer) -> AsyncIterator[Rig]:
    rig = Rig(post.port)
    yield rig
    rig.pool.close()


async def test_one_mail_after_another_goes_over_one_connection(rig: Rig, post: PostServer) -> None:
    for _ in range(5):
        await rig.send()

    assert (len(rig.made), len(post.mails)) == (1, 5)


async def test_mails_at_once_never_share_a_connection_and_few_are_kept(rig: Rig, post: PostServer) -> None:
    await asyncio.gather(*(rig.send() for _ in range(12)))

    assert len(post.mails) == 12
    assert sum(each.is_connected for each in rig.made) == min(len(rig.made), MOST_KEPT)
    made = len(rig.made)
    await asyncio.gather(*(rig.send() for _ in range(MOST_KEPT)))
    assert len(rig.made) == made


async def test_a_refused_mail_does_not_cost_the_connection(rig: Rig, post: PostServer) -> None:
    post.replies["RCPT"] = "550 5.1.1 no such user"
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await rig.send()
    post.replies.clear()

    await rig.send()

    assert (len(rig.made), len(post.mails)) == (1, 1)


async def test_one_that_the_server_ended_meanwhile_is_replaced(rig: Rig, post: PostServer) -> None:
    await rig.send()
    post.end_all()

    await rig.send()

    assert (len(rig.made), len(post.mails)) == (2, 2)


async def test_a_server_that_was_restarted_gets_the_next_mail(rig: Rig, post: PostServer) -> None:
    await rig.send()
    post.restart()

    await rig.send()

    assert (len(rig.made), len(post.mails)) == (2, 2)


@pytest.mark.parametrize(("command", "reply"), [("MAIL", "drop"), ("RCPT", "drop"), ("MAIL", "421 4.4.2 idle too long")])
async def test_one_that_breaks_before_the_content_is_replaced_at_once(rig: Rig, post: PostServer, command: str, reply: str) -> None:
    await rig.send()
    post.once[command] = reply

    await rig.send()

    assert (len(rig.made), len(post.mails)) == (2, 2)


async def test_a_new_one_that_breaks_is_not_replaced(rig: Rig, post: PostServer) -> None:
    post.replies["MAIL"] = "drop"

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await rig.send()

    assert len(rig.made) == 1


async def test_what_breaks_while_the_content_goes_out_is_in_doubt_and_not_sent_again(rig: Rig, post: PostServer) -> None:
    await rig.send()
    post.once["DATA"] = "drop"

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await rig.send()

    assert len(rig.made) == 1


async def test_one_that_does_not_answer_is_left_and_the_mail_goes_by_another(
    rig: Rig, post: PostServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "CHECK_S", 0.05)
    await rig.send()
    post.once["RSET"] = "hang"

    await rig.send()

    assert (len(rig.made), len(post.mails)) == (2, 2)
    assert not rig.made[0].is_connected


async def test_one_that_is_not_used_is_left(post: PostServer) -> None:
    rig = Rig(post.port)
    rig.pool = Pool(rig._make, idle_s=0.01)
    await rig.send()

    await until_async(lambda: not rig.made[0].is_connected, what="the end of the connection")
    await until_async(lambda: not post.open, what="the server to notice")


async def test_one_that_carried_many_is_left(rig: Rig, post: PostServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MOST_MAILS", 2)
    for _ in range(4):
        await rig.send()

    assert (len(rig.made), len(post.mails)) == (2, 4)


async def test_who_is_cancelled_leaves_no_connection_behind(rig: Rig, post: PostServer) -> None:
    post.once["DATA"] = "hang"
    sending = asyncio.create_task(rig.send())
    await until_async(lambda: not post.once, what="the mail on its way")

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert not rig.made[0].is_connected


async def test_after_the_end_nothing_is_kept_and_to_close_twice_is_no_harm(rig: Rig, post: PostServer) -> None:
    await rig.send()
    rig.pool.close()
    rig.pool.close()
    assert not rig.made[0].is_connected

    await rig.send()

    await until_async(lambda: not post.open, what="the server to notice")
