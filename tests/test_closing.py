"""The end of a store as its owner sees it: what it waits for, the report, the decision, and the receipt that stays."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from realtime import closing as closing_module
from realtime.closing_messages import ClosingView
from realtime.errors import NotAllowed, NotFound, NotReported, NowServingError, StorageFailed, StoreClosed
from realtime.hookspecs import Permanent, Retry
from realtime.model import StoreState
from realtime.operations import reports, stores
from realtime.storage.statement import Operation, Statement
from tests.support.evening import BASE, Evening, Office, Owned, an_evening
from tests.support.waiting import until_async


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    async with an_evening(database_url, retry_first_seconds=0.05) as evening:
        yield evening


async def _until(evening: Evening, owned: Owned, **wanted: str) -> ClosingView:
    async def is_so() -> ClosingView | None:
        view = await evening.closing.view(owned.account_id, owned.store_id)
        return view if all(getattr(view, name) == value for name, value in wanted.items()) else None

    view: ClosingView = await until_async(is_so, what=str(wanted))
    return view


async def _close(evening: Evening, owned: Owned) -> ClosingView:
    return await evening.closing.close(owned.account_id, owned.store_id)


async def test_a_confirmed_owner_gets_the_report_and_the_data_is_deleted(evening: Evening) -> None:
    owned = await evening.open(confirmed=True)
    await evening.join(owned, "Ann", "Bo", phone="+4915112345678")

    view = await _close(evening, owned)
    assert view.state in ("closing", "reported")
    view = await _until(evening, owned, state="purged")

    (mail,) = [each for each in evening.office.mail.to(owned.email) if each.delivery.needs_report]
    assert [file.name for file in mail.report] == ["report.csv", "report.html"]
    assert (view.waits_for, view.tickets, view.deliveries) == ("", 2, [])
    assert view.receipt is not None
    assert view.receipt["receipt"]["delivered"] is True


async def test_it_waits_for_the_report_then_for_the_address(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    owned = await evening.open()
    go_on = asyncio.Event()
    read = evening.storage.read

    async def slowly(make: Any, /, *args: Any) -> Any:
        if make is reports.page:
            await go_on.wait()
        return await read(make, *args)

    monkeypatch.setattr(evening.storage, "read", slowly)
    assert (await _close(evening, owned)).waits_for == "report"
    for ask in (evening.closing.report, evening.closing.delete):
        with pytest.raises(NotReported):
            await ask(owned.account_id, owned.store_id)
    go_on.set()

    view = await _until(evening, owned, waits_for="confirmation")
    assert [(each["state"], each["due_ms"]) for each in view.deliveries] == [("held", 0)]


async def test_it_waits_for_the_delivery_as_long_as_that_takes(evening: Evening) -> None:
    owned = await evening.open(confirmed=True)
    evening.office.mail.answers += [Retry("not now")] * 3
    evening.office.mail.open.clear()
    await _close(evening, owned)
    await _until(evening, owned, waits_for="delivery")

    evening.office.mail.open.set()

    view = await _until(evening, owned, state="purged")
    assert view.receipt is not None
    assert len([each for each in evening.office.mail.given if each.delivery.needs_report]) == 4


async def test_a_delivery_that_cannot_arrive_waits_for_a_decision_and_may_be_sent_again(evening: Evening) -> None:
    owned = await evening.open(confirmed=True)
    evening.office.mail.answers.append(Permanent("no such mailbox"))
    await _close(evening, owned)
    view = await _until(evening, owned, waits_for="decision")
    assert [(each["state"], each["outcome"]) for each in view.deliveries] == [("dead", "no such mailbox")]

    again = await evening.closing.resend(owned.account_id, owned.store_id)

    assert again.waits_for in ("delivery", "")
    assert (await _until(evening, owned, state="purged")).receipt is not None


async def test_an_owner_may_have_the_data_deleted_without_a_delivery(evening: Evening) -> None:
    owned = await evening.open()
    await evening.join(owned, "Ann")
    await _close(evening, owned)
    await _until(evening, owned, waits_for="confirmation")

    await evening.closing.delete(owned.account_id, owned.store_id)

    view = await _until(evening, owned, state="purged")
    assert view.receipt is not None
    assert (view.receipt["receipt"]["delivered"], view.receipt["receipt"]["tickets"]) == (False, 1)
    assert not [each for each in evening.office.mail.given if each.delivery.needs_report]


async def test_where_nobody_can_carry_the_report_a_person_decides_or_has_it_sent_once_somebody_can(database_url: str) -> None:
    async with an_evening(database_url, office=Office(carries_report=False)) as evening:
        owned = await evening.open(confirmed=True)
        await _close(evening, owned)
        await _until(evening, owned, waits_for="decision")
        assert (await evening.closing.resend(owned.account_id, owned.store_id)).waits_for == "decision"

    async with an_evening(database_url) as evening:
        await _until(evening, owned, waits_for="decision")
        await evening.closing.resend(owned.account_id, owned.store_id)
        view = await _until(evening, owned, state="purged")
        assert view.receipt is not None
        assert view.receipt["receipt"]["delivered"] is True


# ---- the report ---------------------------------------------------------------------------------------------------


async def test_the_report_is_its_owners_and_only_while_it_is_kept(evening: Evening) -> None:
    owned, stranger = await evening.open(), await evening.open("stranger@example.com")
    await evening.join(owned, "=1+1", "Bo")
    with pytest.raises(NotReported):
        await evening.closing.report(owned.account_id, owned.store_id)
    await _close(evening, owned)
    await _until(evening, owned, state="reported")

    file, text = await evening.closing.report(owned.account_id, owned.store_id)
    rows = list(csv.DictReader(io.StringIO("".join([part async for part in text]).removeprefix("\ufeff"))))

    assert (file.name, [row["name"] for row in rows]) == ("report.csv", ["'=1+1", "Bo"])
    for name in ("", "report.csv", "report.html"):
        with pytest.raises(NotAllowed):
            await evening.closing.report(stranger.account_id, owned.store_id, name)
    with pytest.raises(NotFound, match=r"no file of this name\. It has report\.csv and report\.html\."):
        await evening.closing.report(owned.account_id, owned.store_id, "report.jsonl")
    await evening.closing.delete(owned.account_id, owned.store_id)
    await _until(evening, owned, state="purged")
    with pytest.raises(NotFound):
        await evening.closing.report(owned.account_id, owned.store_id)


async def test_every_file_of_the_report_is_downloaded_by_its_name(evening: Evening) -> None:
    owned = await evening.open()
    await evening.join(owned, "Ann", "Bo")
    await _close(evening, owned)
    view = await _until(evening, owned, state="reported")

    assert [file.name for file in view.files] == ["report.csv", "report.html"]
    assert view.report_sha256 == view.files[0].sha256
    for told in view.files:
        file, text = await evening.closing.report(owned.account_id, owned.store_id, told.name)
        content = "".join([part async for part in text]).encode()
        assert (file.media_type, len(content), hashlib.sha256(content).hexdigest()) == (told.media_type, told.bytes, told.sha256)
        assert (b"Ann" in content) == (told.name == "report.csv")
    await evening.closing.delete(owned.account_id, owned.store_id)
    assert (await _until(evening, owned, state="purged")).files == []


async def test_a_report_that_is_deleted_while_it_is_downloaded_breaks_off(evening: Evening) -> None:
    owned = await evening.open()
    await _close(evening, owned)
    await _until(evening, owned, state="reported")
    _, text = await evening.closing.report(owned.account_id, owned.store_id)
    await evening.closing.delete(owned.account_id, owned.store_id)
    await _until(evening, owned, state="purged")

    with pytest.raises(NotFound):
        [part async for part in text]


async def test_a_report_of_many_pages_is_whole(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing_module, "PAGE", 2)
    owned = await evening.open()
    await evening.join(owned, *"abcde")
    await _close(evening, owned)
    view = await _until(evening, owned, state="reported")

    _, text = await evening.closing.report(owned.account_id, owned.store_id)
    rows = list(csv.DictReader(io.StringIO("".join([part async for part in text]).removeprefix("\ufeff"))))

    assert [row["name"] for row in rows] == list("abcde")
    assert len(view.report_sha256) == 64


async def test_a_store_closes_once(evening: Evening) -> None:
    owned = await evening.open()

    closed = await asyncio.gather(*(_close(evening, owned) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(each, ClosingView) for each in closed) == 1
    assert all(isinstance(each, ClosingView | StoreClosed) for each in closed)


async def test_nothing_is_resent_or_deleted_while_the_store_is_open(evening: Evening) -> None:
    owned = await evening.open()

    for ask in (evening.closing.resend, evening.closing.delete):
        with pytest.raises(NotReported):
            await ask(owned.account_id, owned.store_id)


async def test_what_is_gone_is_neither_resent_nor_promised(evening: Evening) -> None:
    owned = await evening.open()
    await _close(evening, owned)
    await _until(evening, owned, state="reported")
    await evening.closing.delete(owned.account_id, owned.store_id)
    await _until(evening, owned, state="purged")

    with pytest.raises(NowServingError) as refused:
        await evening.closing.resend(owned.account_id, owned.store_id)
    assert "being made" not in str(refused.value)


# ---- receipts -----------------------------------------------------------------------------------------------------


async def test_a_receipt_is_signed_and_says_when_it_was_tampered_with(evening: Evening) -> None:
    owned = await evening.open(confirmed=True)
    await evening.join(owned, "Ann")
    await _close(evening, owned)
    await _until(evening, owned, state="purged")

    (signed,) = await evening.closing.receipts(owned.account_id)

    def text(receipt: dict[str, Any]) -> str:
        return msgspec.json.encode(receipt).decode()

    assert evening.keys.signed(text(signed["receipt"]), signed["signature"])
    for name, value in (("tickets", 0), ("delivered", False), ("deleted_ms", 1), ("report", {})):
        assert not evening.keys.signed(text({**signed["receipt"], name: value}), signed["signature"])
    assert "Ann" not in text(signed)
    assert owned.email not in text(signed)


async def test_receipts_are_listed_newest_first_for_their_owner(evening: Evening) -> None:
    owned = await evening.open(confirmed=True)
    ids = [owned.store_id]
    for _ in range(2):
        evening.clock.ahead_ms += 1_000
        await evening.closing.close(owned.account_id, ids[-1])
        ids.append(await evening.reception.open_again(owned.account_id, base=BASE))

    async def listed() -> Any:
        found = await evening.closing.receipts(owned.account_id)
        return found if len(found) == 2 else None

    assert [each["receipt"]["store_id"] for each in await until_async(listed, what="two receipts")] == [ids[1], ids[0]]
    assert await evening.closing.receipts("somebody else") == []


# ---- by itself ----------------------------------------------------------------------------------------------------


def _end_at(store_id: str, closes_ms: int) -> Operation[None]:
    yield Statement("update stores set closes_ms = $2 where id = $1", (store_id, closes_ms))


async def _state(evening: Evening, owned: Owned) -> StoreState:
    return (await evening.storage.read(stores.one, owned.store_id)).state


async def test_a_store_closes_by_itself_when_its_time_is_over(database_url: str) -> None:
    async with an_evening(database_url) as evening:
        owned = await evening.open()
        await evening.storage.write(_end_at, owned.store_id, evening.clock() + 300)

    async with an_evening(database_url) as evening:
        await _until(evening, owned, state="reported")


async def test_a_store_whose_time_was_over_while_nobody_ran_closes_at_the_start(database_url: str) -> None:
    async with an_evening(database_url) as evening:
        owned = await evening.open()
        assert await _state(evening, owned) is StoreState.OPEN

    async with an_evening(database_url) as later:
        later.clock.ahead_ms += 24 * 3_600_000
        later.parts.beside.start("looking", later.closing.run())
        await _until(later, owned, state="reported")


async def test_a_store_left_in_the_middle_is_taken_up_again(database_url: str) -> None:
    async with an_evening(database_url) as evening:
        owned = await evening.open(confirmed=True)
        await evening.storage.write(stores.close, owned.store_id, evening.clock())

    async with an_evening(database_url) as evening:
        await _until(evening, owned, state="purged")


async def test_a_database_that_fails_for_a_while_delays_the_end_and_no_more(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing_module, "RETRY_S", 0.01)
    owned = await evening.open(confirmed=True)
    write, failures = evening.storage.write, 5

    async def failing(make: Any, /, *args: Any, **kwargs: Any) -> Any:
        nonlocal failures
        if make in (reports.put, reports.finish, reports.delete_some) and failures:
            failures -= 1
            raise StorageFailed
        return await write(make, *args, **kwargs)

    monkeypatch.setattr(evening.storage, "write", failing)
    await _close(evening, owned)

    assert (await _until(evening, owned, state="purged")).receipt is not None
    assert failures == 0
