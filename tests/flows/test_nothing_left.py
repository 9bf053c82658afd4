"""After the evening no personal byte is left in any file of the server, and no secret was ever in its log."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.flows.client import (
    MANY,
    PASSWORD,
    PATIENCE_S,
    Owner,
    Screen,
    confirm,
    join,
    letters,
    link,
    live_ticket,
    off_loop,
    open_store,
    reports,
    select,
    visitor,
)
from tests.support.mail import MailServer
from tests.support.process import ServerProcess
from tests.support.sink import HttpSink
from tests.support.subscriber import Subscriber
from tests.support.waiting import until_async

PERSONAL = [
    "Annabel Quixotecanary",
    "Ünal Zweitcanary",
    "Walkinna Streetcanary",
    "Removeda Gonecanary",
    "+4915123456781",
    "15123456781",
    "canary.annabel@example.net",
    "canary.walkin@example.net",
    "Groupcanary",
    "Refusedcanary",
]
"""What customers and staff typed of people, in the forms in which it may be kept."""


def found_in(folder: Path, words: list[str]) -> list[str]:
    """Every file that holds one of the words, in UTF-8 or as JSON escapes it."""
    hits = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            hits += [f"{path.name}: {word}" for word in words for shape in _shapes(word) if shape in data]
    return hits


def _shapes(word: str) -> set[bytes]:
    return {word.encode(), word.encode("utf-16-le"), word.encode("ascii", "backslashreplace")}


async def rows_with(database_url: str, words: list[str]) -> list[str]:
    """The same for every row of every table."""
    if database_url.startswith("sqlite"):
        tables = [name for (name,) in await select(database_url, "select name from sqlite_master where type = 'table'")]
    else:
        tables = [
            name for (name,) in await select(database_url, "select table_name from information_schema.tables where table_schema = 'public'")
        ]
    assert "tickets" in tables
    return [
        f"{table}: {word}"
        for table in tables
        for row in await select(database_url, f"select * from {table}")
        for word in words
        if word in " ".join(map(str, row))
    ]


class Evening:
    """Plays an evening with everything personal in it, and remembers every secret that was handed out."""

    def __init__(self, owner: Owner, mails: MailServer, gateway: HttpSink) -> None:
        self.owner = owner
        self.mails = mails
        self.gateway = gateway
        self.secrets: list[str] = [PASSWORD, owner.token]

    async def play(self) -> None:
        owner, server = self.owner, self.owner.server
        await letters(self.mails, owner.email)
        await confirm(owner, self.mails)
        self.secrets += [value for _, value in owner.http.cookies.items()]
        self.secrets.append(await owner.board_token())
        await self._reset_password()
        # What is owed to it outlives the store: nobody ever takes it.
        (await owner.http.post("/v1/webhooks", json={"url": "https://receiver.invalid/"})).raise_for_status()
        async with contextlib.AsyncExitStack() as stack:
            screen = await stack.enter_async_context(Screen(server, owner.token, owner.topic))
            board = await stack.enter_async_context(Screen(server, await owner.board_token(), f"store/{owner.store_id}/board"))
            phones = [await stack.enter_async_context(visitor(server)) for _ in range(3)]
            first = await join(owner, phones[0], PERSONAL[0], phone="+49 1512 3456781", email=PERSONAL[6])
            second = await join(owner, phones[1], PERSONAL[1], email="canary.annabel@example.net")
            for ticket in (first, second):
                own = await live_ticket(owner, ticket)
                self.secrets += [ticket["token"], ticket["key"], ticket["code"].partition(".")[2], own["live_token"]]
                party = Screen(server, own["live_token"], *own["topics"])
                await party.connect()
                await party.lock()
            browser = Subscriber(self.gateway.url)
            self.secrets += [browser.endpoint.rpartition("/")[2], browser.p256dh, browser.json()["keys"]["auth"]]
            (await phones[0].put("/v1/ticket/push", json=browser.json())).raise_for_status()
            await self._by_links(first)
            await self._bad_tries(phones[2], second)
            await self._group(phones[2])
            headers = {"Idempotency-Key": "Idempotent-secret-1"}
            body = {"name": PERSONAL[2], "queue": "A", "email": PERSONAL[7]}
            for _ in range(2):
                added = (await owner.http.post(f"{owner.path}/tickets", json=body, headers=headers)).raise_for_status().json()
                self.secrets.append(added["link"].partition("#")[2])
            gone = await owner.walk_in(PERSONAL[3])
            (await owner.change(gone["ticket"]["id"], "remove")).raise_for_status()
            called = await owner.call_next(desk="Bar")
            (await owner.change(called["id"], "no_show")).raise_for_status()
            assert (await phones[1].delete("/v1/ticket")).status_code == 204
            screen_codes = [push for push in screen.heard if "code_shown" in push]
            assert screen_codes
            # Before the kill: a delivery whose process died waits for the end of its lease.
            await until_async(lambda: self.gateway.requests, PATIENCE_S, "a text message")
            assert not any(word in text for text in board.heard for word in PERSONAL)
        await off_loop(server.kill)
        await off_loop(server.start)
        await owner.sign_in()
        self.secrets.append(owner.token)
        await owner.walk_in("Lastcanary Guest")

    async def _reset_password(self) -> None:
        before = len(self.mails.to(self.owner.email))
        (await self.owner.http.post("/v1/password/forgot", json={"email": self.owner.email})).raise_for_status()
        mails = await letters(self.mails, self.owner.email, before + 1)
        secret = link(mails[-1]).partition("#")[2]
        (await self.owner.http.post("/v1/password/reset", json={"token": secret, "password": PASSWORD})).raise_for_status()
        await self.owner.sign_in()
        self.secrets += [secret, self.owner.token, link(mails[0]).partition("#")[2]]
        self.secrets += [value for _, value in self.owner.http.cookies.items()]

    async def _by_links(self, ticket: dict[str, Any]) -> None:
        """As people do it who follow a link, and as they should not: with secrets in the address."""
        async with visitor(self.owner.server) as phone:
            (await phone.post("/v1/ticket/trade", json={"token": ticket["token"]})).raise_for_status()
            assert (await phone.get("/v1/ticket")).status_code == 200
            assert (await phone.get("/ticket")).status_code == 200
            code = await self.owner.code()
            self.secrets.append(code.partition(".")[2])
            for method in ("GET", "HEAD", "POST", "PUT"):
                await phone.request(method, f"/j/{code}")
                await phone.request(method, f"/v1/codes/{code}/nothing")
            await phone.get("/t", params={"token": ticket["token"]})
            await phone.get("/v1/ticket", headers={"Authorization": f"Bearer {ticket['token']}x"})

    async def _bad_tries(self, phone: Any, ticket: dict[str, Any]) -> None:
        body = {
            "code": ticket["code"],
            "key": ticket["key"],
            "parties": [{"name": "Refusedcanary", "queue": "A", "phone": "+49 15123456781 ext"}],
        }
        assert (await phone.post("/v1/tickets", json=body)).status_code == 422
        assert (await phone.post("/v1/login", json={"email": "refusedcanary@example.net", "password": PASSWORD})).status_code == 401

    async def _group(self, phone: Any) -> None:
        code, key = await self.owner.code(), "secret-key-of-a-group-1"
        (await phone.post(f"/v1/codes/{code}/scan", json={"key": key})).raise_for_status()
        parties = [{"name": f"Groupcanary {number}", "queue": "A"} for number in range(5)]
        joined = (await phone.post("/v1/tickets", json={"code": code, "key": key, "parties": parties})).raise_for_status().json()
        self.secrets += [key, code.partition(".")[2], *(ticket["token"] for ticket in joined["tickets"])]


def settings(mails: MailServer, gateway: HttpSink, level: str) -> dict[str, Any]:
    return {
        **MANY,
        "smtp_url": mails.url,
        "smtp_allow_plain": True,
        "mail_from": "queue@example.org",
        "outbound_networks": "127.0.0.0/8",
        "sms_url": gateway.url.replace("http://", "json://"),
        "log_level": level,
    }


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_nothing_personal_is_left_and_no_secret_is_in_the_log(
    server: Serve, database_url: str, smtp_sink: MailServer, http_sink: HttpSink, level: str, tmp_path: Path
) -> None:
    started: ServerProcess = await off_loop(lambda: server(database_url=database_url, **settings(smtp_sink, http_sink, level)))
    personal = [*PERSONAL, "Lastcanary", "Streetcanary", "Zweitcanary", "Quixotecanary", "Gonecanary"]
    async with open_store(started, board_code=True) as owner:
        evening = Evening(owner, smtp_sink, http_sink)
        await evening.play()
        assert await rows_with(database_url, ["Quixotecanary"]), "the canary is not where it should be during the evening"

        await owner.close_store()
        await owner.purged()

        (mail,) = reports(smtp_sink, owner.email)
        assert b"Quixotecanary" in mail.attachments()["report.csv"]
        secrets = sorted({secret for secret in evening.secrets if len(secret) > 8})
        assert len(secrets) > 15
        # While it runs, with its write-ahead log and shared memory beside the file, and after it has stopped.
        for running in (True, False):
            if not running:
                await off_loop(started.stop)
            assert found_in(tmp_path, personal) == []
            assert found_in(tmp_path, secrets) == []
            assert await rows_with(database_url, [*personal, *secrets]) == []
            assert await select(database_url, "select count(*) from jobs where queue = 'webhooks'") != [(0,)]


async def test_during_the_evening_secrets_are_kept_as_hashes_only(
    server: Serve, tmp_path: Path, smtp_sink: MailServer, http_sink: HttpSink
) -> None:
    started = await off_loop(lambda: server(**settings(smtp_sink, http_sink, "debug")))
    async with open_store(started) as owner, visitor(started) as phone:
        await letters(smtp_sink, owner.email)
        await confirm(owner, smtp_sink)
        ticket = await join(owner, phone, "Ann", email="ann@example.net")
        await letters(smtp_sink, "ann@example.net")
        secrets = [
            PASSWORD,
            owner.token,
            *(value for _, value in owner.http.cookies.items()),
            ticket["key"],
            ticket["code"].partition(".")[2],
        ]

        def settled() -> bool:
            return started.output().count("done, sent") >= 2

        await until_async(settled, PATIENCE_S, "the mails to be settled")
        assert await rows_with(started.environment["NOWSERVING_DATABASE_URL"], [*secrets, ticket["token"]]) == []
        assert [hit for hit in await asyncio.to_thread(found_in, tmp_path, secrets) if ".log" in hit] == []
