"""A store that closes, in a process that dies at any of its writes and starts again: the report goes out, the data is deleted, once."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from realtime.app import load_plugins, make_storage, running
from realtime.errors import StorageFailed
from realtime.model import StoreState
from realtime.operations import accounts, joining, reports, stores
from realtime.settings import Settings
from realtime.storage.statement import Operation, Statement, Storage
from tests.operations.conftest import FAR_MS, Shop
from tests.support.mail import MailServer
from tests.support.waiting import until_async


class Dying:
    """The database as a process sees it that is killed at its n-th write: just before the write, or just after its commit."""

    def __init__(self, storage: Storage, at: int, committed: bool) -> None:
        self._storage = storage
        self._left = at
        self._committed = committed
        self.dead = asyncio.Event()

    async def open(self) -> None:
        await self._storage.open()

    async def close(self) -> None:
        await self._storage.close()

    async def check(self) -> None:
        await self._storage.check()

    async def carry_on(self) -> None:
        await self._storage.carry_on()

    async def scrub(self) -> None:
        self._alive()
        await self._storage.scrub()

    async def read(self, make: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self._alive()
        return await self._storage.read(make, *args, **kwargs)

    async def write(self, make: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return await self.write_and_tell(_nobody, make, *args, **kwargs)

    async def write_and_tell(self, tell: Callable[[Any], None], make: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self._alive()
        self._left -= 1
        if self._left:
            return await self._storage.write_and_tell(tell, make, *args, **kwargs)
        if self._committed:
            await self._storage.write(make, *args, **kwargs)
        self.dead.set()
        raise StorageFailed

    def _alive(self) -> None:
        if self.dead.is_set():
            raise StorageFailed


@pytest.fixture
def settings(database_url: str, smtp_sink: MailServer) -> Settings:
    return msgspec.structs.replace(
        Settings.load({}, None),
        database_url=database_url,
        secret_key="k" * 40,
        smtp_url=smtp_sink.url,
        smtp_allow_plain=True,
        mail_from="luigi@example.org",
        retry_first_seconds=0.05,
        job_lease_seconds=20,
        drain_seconds=1,
    )


def _nobody(value: Any) -> None:
    pass


async def _life(settings: Settings, storage: Storage, work: Callable[[Any], Any]) -> None:
    registry = await asyncio.to_thread(load_plugins, settings)
    async with running(settings, storage, registry) as parts:
        await work(parts)


async def _prepare(settings: Settings) -> Shop:
    storage = await asyncio.to_thread(make_storage, settings)
    await storage.open()
    shop = Shop(storage)
    await shop.open()
    await storage.write(accounts.send_link, "link", shop.account_id, "confirm", "owner@example.org", (), 1, FAR_MS)
    await storage.write(accounts.confirm, "link", 2)
    for name in ("Ann", "=cmd()", "Ünal"):
        await shop.add(name)
    await storage.close()
    return shop


async def _close_and_die(settings: Settings, at: int, committed: bool) -> bool:
    """Whether the process died; False when it was done before its n-th write."""
    dying = Dying(await asyncio.to_thread(make_storage, settings), at, committed)

    async def work(parts: Any) -> None:
        with contextlib.suppress(StorageFailed):
            await parts.closing.close(Shop.account_id, Shop.store_id)
        done = asyncio.ensure_future(_purged(parts.storage))
        await asyncio.wait({done, asyncio.ensure_future(dying.dead.wait())}, return_when=asyncio.FIRST_COMPLETED)
        done.cancel()

    with contextlib.suppress(StorageFailed, ExceptionGroup):
        await _life(settings, dying, work)
    return dying.dead.is_set()


async def _purged(storage: Storage) -> None:
    async def is_purged() -> bool:
        return bool((await storage.read(stores.one, Shop.store_id)).state is StoreState.PURGED)

    await until_async(is_purged, what="the purge")


def _leases_end() -> Operation[None]:
    """What a dead process held is waited for no longer."""
    yield Statement("update jobs set leased_until_ms = 1 where state = 'leased'", ())


async def _start_again(settings: Settings) -> list[dict[str, Any]]:
    storage = await asyncio.to_thread(make_storage, settings)
    await storage.open()
    await storage.write(_leases_end)
    await storage.close()
    receipts: list[dict[str, Any]] = []

    async def work(parts: Any) -> None:
        if (await parts.storage.read(stores.one, Shop.store_id)).state is StoreState.OPEN:
            await parts.closing.close(Shop.account_id, Shop.store_id)
        await _purged(parts.storage)
        receipts.extend(await parts.closing.receipts(Shop.account_id))
        assert await parts.storage.read(reports.page, Shop.store_id, 0, 10) == []

    await _life(settings, await asyncio.to_thread(make_storage, settings), work)
    return receipts


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("database_url", "committed", "first"),
    [("sqlite", False, 1), ("sqlite", True, 1), ("postgres", False, 2), ("postgres", True, 2)],
    indirect=["database_url"],
    ids=["sqlite-before a write", "sqlite-after a commit", "postgres-before a write", "postgres-after a commit"],
)
async def test_whichever_write_it_dies_at_the_closing_is_finished_once(
    settings: Settings, smtp_sink: MailServer, committed: bool, first: int, new_place: Callable[[Settings, int], Settings]
) -> None:
    """Each second write, so that either database dies once between any two writes; the other one dies at the other side of the gap."""
    died, at = True, first - 2
    while died:
        at += 2
        here = await asyncio.to_thread(new_place, settings, at)
        smtp_sink.mails.clear()
        await _prepare(here)

        died = await _close_and_die(here, at, committed)
        receipts = await _start_again(here)

        assert len(receipts) == 1, at
        assert receipts[0]["receipt"]["tickets"] == 3, at
        assert receipts[0]["receipt"]["delivered"] is True, at
        reports_sent = [mail for mail in smtp_sink.mails if mail.attachments()]
        assert len(reports_sent) in (1, 2), at
        assert len({mail.message["Message-ID"] for mail in reports_sent}) == 1, at
        (text,) = {mail.attachments()["report.csv"] for mail in reports_sent}
        rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
        assert [row["name"] for row in rows] == ["Ann", "'=cmd()", "Ünal"], at
    assert at > 8, "the closing has more writes than this test tried"


@pytest.fixture
def new_place(request: pytest.FixtureRequest, tmp_path: Any, database_url: str) -> Callable[[Settings, int], Settings]:
    """The same settings with another empty database."""

    def make(settings: Settings, number: int) -> Settings:
        if database_url.startswith("sqlite"):
            return msgspec.structs.replace(settings, database_url=f"sqlite:///{tmp_path / f'{number}.db'}")
        return msgspec.structs.replace(settings, database_url=request.getfixturevalue("postgres_server").new_database())

    return make


async def test_a_join_that_races_with_the_closing_is_in_the_report_or_refused(settings: Settings) -> None:
    await _prepare(settings)

    async def work(parts: Any) -> None:
        guest = joining.Guest("A", "Racer", "", "", 1)
        joins = [asyncio.ensure_future(parts.storage.write(joining.join, Shop.store_id, (guest,), None, None, 9)) for _ in range(20)]
        await parts.closing.close(Shop.account_id, Shop.store_id)
        answers = await asyncio.gather(*joins, return_exceptions=True)
        joined = sum(not isinstance(answer, BaseException) for answer in answers)
        await _purged(parts.storage)
        (receipt,) = await parts.closing.receipts(Shop.account_id)
        assert receipt["receipt"]["tickets"] == 3 + joined

    await _life(settings, await asyncio.to_thread(make_storage, settings), work)
