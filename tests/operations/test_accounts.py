"""Accounts as rows, on both databases: sessions in families, links used once, addresses proved."""

from __future__ import annotations

import asyncio

import pytest

from realtime.errors import EmailTaken, LinkExpired, NotSignedIn
from realtime.model import Delivery
from realtime.operations import accounts, jobs, reports, stores
from realtime.storage.statement import Operation, Statement
from tests.operations.conftest import FAR_MS, Shop
from tests.operations.test_reports import FILE, mail

GRACE_MS = 30_000
FIRST = "token of owner"


async def _refresh(shop: Shop, old: str, new: str, now_ms: int, expires_ms: int = FAR_MS) -> str | None:
    """The account that is signed in."""
    found = await shop.storage.write(accounts.refresh, old, new, now_ms, expires_ms, GRACE_MS)
    return found.id if found else None


async def test_a_refresh_token_is_replaced_on_use(shop: Shop) -> None:
    assert await _refresh(shop, FIRST, "second", 2_000) == "owner"
    assert await _refresh(shop, "second", "third", 3_000) == "owner"


async def test_a_replaced_token_signs_in_for_a_moment_and_then_ends_its_family(shop: Shop) -> None:
    await _refresh(shop, FIRST, "second", 2_000)

    assert await _refresh(shop, FIRST, "again", 2_000 + GRACE_MS) == "owner"
    assert await _refresh(shop, FIRST, "stolen", 2_001 + GRACE_MS) is None
    for token in (FIRST, "second", "again", "stolen"):
        with pytest.raises(NotSignedIn):
            await _refresh(shop, token, "more", 2_002 + GRACE_MS)


async def test_an_answer_that_was_lost_does_not_end_the_family_later(shop: Shop) -> None:
    await _refresh(shop, FIRST, "lost on its way", 2_000)

    assert await _refresh(shop, FIRST, "arrived", 2_500) == "owner"

    assert await _refresh(shop, "arrived", "later", 600_000) == "owner"


async def test_the_end_of_a_family_leaves_other_browsers_signed_in(shop: Shop) -> None:
    await shop.storage.write(accounts.sign_in, "owner", accounts.Session("other browser", "other family", FAR_MS), 1)
    await _refresh(shop, FIRST, "second", 2_000)

    await _refresh(shop, FIRST, "stolen", 100_000)

    assert await _refresh(shop, "other browser", "goes on", 100_001) == "owner"


@pytest.mark.parametrize("token", ["", "unknown"])
async def test_an_unknown_token_signs_nobody_in(shop: Shop, token: str) -> None:
    with pytest.raises(NotSignedIn):
        await _refresh(shop, token, "new", 2_000)


async def test_a_token_that_is_too_old_signs_nobody_in(shop: Shop) -> None:
    await _refresh(shop, FIRST, "short", 2_000, expires_ms=3_000)

    with pytest.raises(NotSignedIn):
        await _refresh(shop, "short", "new", 3_000)


async def test_of_many_who_use_one_token_at_once_nobody_is_thrown_out(shop: Shop) -> None:
    found = await asyncio.gather(*(_refresh(shop, FIRST, f"new {number}", 2_000) for number in range(10)))

    assert found == ["owner"] * 10


async def test_signing_out_ends_the_whole_family(shop: Shop) -> None:
    await _refresh(shop, FIRST, "second", 2_000)

    await shop.storage.write(accounts.sign_out, FIRST)

    with pytest.raises(NotSignedIn):
        await _refresh(shop, "second", "third", 2_001)
    await shop.storage.write(accounts.sign_out, "unknown")


async def test_a_new_password_ends_every_session_but_one(shop: Shop) -> None:
    await shop.storage.write(accounts.sign_in, "owner", accounts.Session("mine", "my family", FAR_MS), 1)

    await shop.storage.write(accounts.set_password, "owner", "new hash", "mine")

    assert await shop.storage.read(accounts.password_hash, "owner") == "new hash"
    assert await _refresh(shop, "mine", "still mine", 2_000) == "owner"
    with pytest.raises(NotSignedIn):
        await _refresh(shop, FIRST, "other", 2_000)


async def test_an_address_has_one_account(shop: Shop) -> None:
    session = accounts.Session("t", "f", FAR_MS)
    makes = (shop.storage.write(accounts.make, f"new{number}", "new@example.org", "hash", session, 1) for number in range(3))
    with pytest.raises(EmailTaken):
        await shop.storage.write(accounts.make, "other", "owner@example.org", "hash", session, 1)

    made = await asyncio.gather(*makes, return_exceptions=True)

    assert sum(not isinstance(each, BaseException) for each in made) == 1


# ---- links --------------------------------------------------------------------------------------------------------


async def _link(shop: Shop, link: str, purpose: str, email: str, expires_ms: int = FAR_MS, account: str = "owner") -> None:
    owed = (Delivery("email", email, purpose, {"link": link}),)
    await shop.storage.write(accounts.send_link, link, account, purpose, email, owed, 1_000, expires_ms)


async def test_a_link_works_once_for_its_purpose_and_until_its_end(shop: Shop) -> None:
    await _link(shop, "confirm", "confirm", "owner@example.org")
    await _link(shop, "reset", "reset", "owner@example.org", expires_ms=5_000)

    with pytest.raises(LinkExpired):
        await shop.storage.write(accounts.confirm, "reset", 2_000)
    with pytest.raises(LinkExpired):
        await shop.storage.write(accounts.reset, "confirm", "hash", 2_000)
    with pytest.raises(LinkExpired):
        await shop.storage.write(accounts.reset, "reset", "hash", 5_000)
    await shop.storage.write(accounts.confirm, "confirm", 2_000)
    with pytest.raises(LinkExpired):
        await shop.storage.write(accounts.reset, "confirm", "hash", 2_000)


async def test_the_link_of_a_confirmed_address_may_be_opened_again(shop: Shop) -> None:
    await _link(shop, "confirm", "confirm", "owner@example.org")
    first = await shop.storage.write(accounts.confirm, "confirm", 2_000)

    again = await shop.storage.write(accounts.confirm, "confirm", 3_000)

    assert (again.value, again.owed) == (first.value, 0)
    await _link(shop, "other", "confirm", "other@example.org", expires_ms=5_000)
    await shop.storage.write(accounts.confirm, "other", 4_000)
    with pytest.raises(LinkExpired):  # by now the account has another address
        await shop.storage.write(accounts.confirm, "confirm", 4_500)
    with pytest.raises(LinkExpired):  # too old
        await shop.storage.write(accounts.confirm, "other", 9_000)


async def test_of_many_who_open_one_link_at_once_one_gets_in(shop: Shop) -> None:
    await _link(shop, "reset", "reset", "owner@example.org")

    made = await asyncio.gather(
        *(shop.storage.write(accounts.reset, "reset", f"hash {number}", 2_000) for number in range(10)), return_exceptions=True
    )

    assert sum(not isinstance(each, BaseException) for each in made) == 1


async def test_a_newer_link_ends_the_older_of_its_purpose_only(shop: Shop) -> None:
    await _link(shop, "old", "reset", "owner@example.org")
    await _link(shop, "confirm", "confirm", "owner@example.org")

    await _link(shop, "new", "reset", "owner@example.org")

    with pytest.raises(LinkExpired):
        await shop.storage.write(accounts.reset, "old", "hash", 2_000)
    await shop.storage.write(accounts.confirm, "confirm", 2_000)
    await shop.storage.write(accounts.reset, "new", "hash", 2_000)


async def test_a_reset_ends_all_sessions_and_proves_the_address(shop: Shop) -> None:
    await _link(shop, "reset", "reset", "owner@example.org")

    await shop.storage.write(accounts.reset, "reset", "new hash", 2_000)

    assert (await shop.storage.read(accounts.one, "owner")).confirmed
    with pytest.raises(NotSignedIn):
        await _refresh(shop, FIRST, "second", 2_001)


async def test_an_address_that_somebody_else_took_meanwhile_cannot_be_confirmed_and_the_link_stays(shop: Shop) -> None:
    await _link(shop, "confirm", "confirm", "other@example.org")
    await shop.storage.write(accounts.make, "other", "other@example.org", "hash", accounts.Session("t", "f", FAR_MS), 1)

    for _ in range(2):
        with pytest.raises(EmailTaken):
            await shop.storage.write(accounts.confirm, "confirm", 2_000)
    with pytest.raises(EmailTaken):
        await shop.storage.write(accounts.correct_email, "owner", "other@example.org")


# ---- the address and the report that waits for it -----------------------------------------------------------------


async def _reported(shop: Shop) -> None:
    await shop.storage.write(stores.close, shop.store_id, 5_000)
    await shop.storage.write(reports.finish, shop.store_id, 0, [FILE], mail, 6_000)


async def _recipients(shop: Shop) -> list[tuple[str, bool]]:
    return [(each.recipient, each.held) for each in await shop.storage.read(jobs.of_report, shop.store_id)]


async def test_a_corrected_address_gets_the_report_once_it_is_confirmed(shop: Shop) -> None:
    await _reported(shop)

    await shop.storage.write(accounts.correct_email, "owner", "right@example.org")
    assert await _recipients(shop) == [("right@example.org", True)]
    await _link(shop, "confirm", "confirm", "right@example.org")
    await shop.storage.write(accounts.confirm, "confirm", 7_000)

    assert await _recipients(shop) == [("right@example.org", False)]


async def test_a_confirmed_address_is_not_corrected_nor_is_its_report_sent_elsewhere(shop: Shop) -> None:
    await _reported(shop)
    await _link(shop, "confirm", "confirm", "owner@example.org")
    await shop.storage.write(accounts.confirm, "confirm", 7_000)

    await shop.storage.write(accounts.correct_email, "owner", "thief@example.org")

    assert (await shop.storage.read(accounts.one, "owner")).email == "owner@example.org"
    assert await _recipients(shop) == [("owner@example.org", False)]


async def test_an_address_confirmed_in_the_moment_the_report_is_made_gets_it(shop: Shop) -> None:
    await _link(shop, "confirm", "confirm", "owner@example.org")
    await shop.storage.write(stores.close, shop.store_id, 5_000)
    confirming: list[asyncio.Task[object]] = []
    loop = asyncio.get_running_loop()

    def begins(account: object) -> list[Delivery]:
        # The report's transaction has read that the owner is not confirmed, and is not committed yet.
        if not confirming:
            asyncio.run_coroutine_threadsafe(_confirm(shop, confirming), loop)
        return mail(account)  # type: ignore[arg-type]  # an account

    def slowly() -> Operation[object]:
        change = yield from reports.finish(shop.store_id, 0, [FILE], begins, 6_000)
        yield Statement("select count(*) from events", (), "select count(*) from events, pg_sleep(0.3)")
        return change

    await shop.storage.write(slowly)
    while not confirming:
        await asyncio.sleep(0)
    await asyncio.gather(*confirming)

    assert (await shop.storage.read(accounts.one, "owner")).confirmed
    assert await _recipients(shop) == [("owner@example.org", False)]


async def _confirm(shop: Shop, begun: list[asyncio.Task[object]]) -> None:
    begun.append(asyncio.ensure_future(shop.storage.write(accounts.confirm, "confirm", 7_000)))
