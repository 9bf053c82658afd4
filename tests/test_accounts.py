"""An owner's account from the first evening on: signed up, signed in, forgotten, reset, proved; and what of it a thief would find."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from realtime.errors import (
    EmailTaken,
    InvalidInput,
    LinkExpired,
    NotSignedIn,
    NowServingError,
    StorageFailed,
    WrongPassword,
)
from realtime.messages import ChangeEmail, ChangePassword, OpenStore, QueueDraft
from realtime.operations import accounts, jobs, stores
from realtime.storage.statement import Operation, Row, Statement
from tests.support.evening import BASE, PASSWORD, Evening, Owned, an_evening
from tests.support.waiting import until_async

NEW = "five green lanterns"


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    async with an_evening(database_url) as evening:
        yield evening


@pytest.fixture
async def owned(evening: Evening) -> Owned:
    return await evening.open()


def _mails(evening: Evening, email: str) -> list[str]:
    return [each.delivery.moment for each in evening.office.mail.to(email)]


async def _count(evening: Evening, table: str) -> int:
    def count() -> Operation[int]:
        rows = yield Statement(f"select count(*) from {table}", ())
        return int(rows[0][0])

    return await evening.storage.read(count)


# ---- sign up, in and out ------------------------------------------------------------------------------------------


async def test_opening_a_store_makes_the_account_and_signs_in(evening: Evening, owned: Owned) -> None:
    assert evening.accounts.who(owned.token) == owned.account_id
    view = await evening.accounts.view(owned.account_id)

    assert (view.email, view.confirmed, view.store_id, view.has_template, view.template_name, view.can_mail) == (
        owned.email,
        False,
        owned.store_id,
        True,
        "Luigi's",
        True,
    )
    await evening.link(owned.email, "confirm_email")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": ""}, "email"),
        ({"email": "luigi"}, "email"),
        ({"email": "a@b.c\r\nBcc: x@y.z"}, "email"),
        ({"password": ""}, "password"),
        ({"password": "short"}, "password"),
        ({"password": "luigi@example.com"}, "password"),
        ({"name": "\0"}, "name"),
        ({"timezone": "Moon/Crater"}, "timezone"),
        ({"queues": [QueueDraft("ok"), QueueDraft("b\0d")]}, "queues[1].name"),
    ],
)
async def test_what_cannot_be_used_is_named_and_nothing_is_made(evening: Evening, wrong: dict[str, Any], field: str) -> None:
    good = {"name": "Luigi's", "queues": [QueueDraft("A")], "email": "luigi@example.com", "password": PASSWORD}

    with pytest.raises(InvalidInput) as refused:
        await evening.accounts.sign_up_and_open(OpenStore(**{**good, **wrong}), base=BASE)

    assert refused.value.field == field
    assert await _count(evening, "accounts") == 0


async def test_an_address_that_has_an_account_is_not_signed_up_again(evening: Evening, owned: Owned) -> None:
    for email in (owned.email, owned.email.upper()):
        with pytest.raises(EmailTaken) as refused:
            await evening.open(email)
        assert refused.value.field == "email"
    assert await _count(evening, "stores") == 1


async def test_signing_up_happens_whole_or_not_at_all(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*args: object) -> Operation[Any]:
        yield Statement("select 1", ())
        raise StorageFailed

    with monkeypatch.context() as broken:
        broken.setattr(stores, "open_store", breaks)
        with pytest.raises(StorageFailed):
            await evening.open()
    assert await _count(evening, "accounts") == 0

    await evening.open()


@pytest.mark.parametrize("email", ["luigi@example.com", "Luigi@Example.COM", " luigi@example.com "])
async def test_an_owner_signs_in_however_the_address_is_written(evening: Evening, owned: Owned, email: str) -> None:
    signed_in = await evening.accounts.sign_in(email, PASSWORD)

    assert evening.accounts.who(signed_in.tokens.access_token) == owned.account_id
    assert signed_in.refresh_token


async def test_an_address_with_letters_of_its_own_signs_in_as_it_was_typed(evening: Evening) -> None:
    owned = await evening.open("luigi@b\u00fccher.example")

    assert (await evening.accounts.sign_in("luigi@b\u00fccher.example", PASSWORD)).account.id == owned.account_id


@pytest.mark.parametrize("email", ["luigi@example.com", "nobody@example.com", "", "\0", "lui\0gi@example.com", "x" * 254])
async def test_an_unknown_address_and_a_wrong_password_are_refused_alike(
    evening: Evening, owned: Owned, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords, verified = evening.parts.passwords, list[str]()
    verify = passwords._verify

    def counting(hashed: str, password: str) -> bool:
        verified.append(hashed)
        return verify(hashed, password)

    monkeypatch.setattr(passwords, "_verify", counting)
    with pytest.raises(WrongPassword) as refused:
        await evening.accounts.sign_in(email, "wrong password")

    assert str(refused.value) == WrongPassword.sentence
    assert len(verified) == 1
    assert verified[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_the_refresh_token_changes_with_every_use_and_an_old_one_ends_it_all(evening: Evening, owned: Owned) -> None:
    second = await evening.accounts.refresh(owned.signed_in.refresh_token)
    assert evening.accounts.who(second.tokens.access_token) == owned.account_id
    assert second.refresh_token not in ("", owned.signed_in.refresh_token)

    evening.clock.ahead_ms += 29_000
    assert (await evening.accounts.refresh(owned.signed_in.refresh_token)).account.id == owned.account_id
    third = await evening.accounts.refresh(second.refresh_token)
    evening.clock.ahead_ms += 2_000

    with pytest.raises(NotSignedIn):
        await evening.accounts.refresh(owned.signed_in.refresh_token)
    with pytest.raises(NotSignedIn):
        await evening.accounts.refresh(third.refresh_token)


@pytest.mark.parametrize("token", ["", "nonsense", "\0", "\ud800", "x" * 10_000])
async def test_a_token_that_is_none_refreshes_nothing(evening: Evening, owned: Owned, token: str) -> None:
    with pytest.raises(NotSignedIn):
        await evening.accounts.refresh(token)
    await evening.accounts.sign_out(token)


async def test_who_signed_out_is_signed_out(evening: Evening, owned: Owned) -> None:
    await evening.accounts.sign_out(owned.signed_in.refresh_token)

    with pytest.raises(NotSignedIn):
        await evening.accounts.refresh(owned.signed_in.refresh_token)


async def test_an_access_token_ends_after_its_minutes(evening: Evening, owned: Owned) -> None:
    evening.clock.ahead_ms += 10 * 60_000

    with pytest.raises(NotSignedIn):
        evening.accounts.who(owned.token)


# ---- the password -------------------------------------------------------------------------------------------------


async def test_a_forgotten_password_is_set_anew_by_mail_once_and_every_session_ends(evening: Evening, owned: Owned) -> None:
    await evening.accounts.forgot(owned.email.upper(), base=BASE)
    token = await evening.link(owned.email, "reset_password")

    with pytest.raises(InvalidInput):
        await evening.accounts.reset(token, "short")
    await evening.accounts.reset(token, NEW)

    assert (await evening.accounts.sign_in(owned.email, NEW)).account.confirmed
    for spent in (
        evening.accounts.reset(token, "another good one"),
        evening.accounts.refresh(owned.signed_in.refresh_token),
        evening.accounts.sign_in(owned.email, PASSWORD),
    ):
        with pytest.raises((LinkExpired, NotSignedIn)):
            await spent


async def test_a_link_to_reset_ends_after_its_hour(evening: Evening, owned: Owned) -> None:
    await evening.accounts.forgot(owned.email, base=BASE)
    token = await evening.link(owned.email, "reset_password")
    evening.clock.ahead_ms += 60 * 60_000

    with pytest.raises(LinkExpired):
        await evening.accounts.reset(token, NEW)


@pytest.mark.parametrize("email", ["nobody@example.com", "", "\0", "no address"])
async def test_for_an_unknown_address_nothing_is_owed_and_nobody_is_told(evening: Evening, owned: Owned, email: str) -> None:
    await evening.link(owned.email, "confirm_email")
    before = await _count(evening, "jobs")

    await evening.accounts.forgot(email, base=BASE)

    assert await _count(evening, "jobs") == before


async def test_who_changes_the_password_stays_signed_in_alone(evening: Evening, owned: Owned) -> None:
    other = await evening.accounts.sign_in(owned.email, PASSWORD)

    with pytest.raises(WrongPassword) as refused:
        await evening.accounts.change_password(owned.account_id, ChangePassword("wrong", NEW), owned.signed_in.refresh_token)
    assert refused.value.field == "password"
    await evening.accounts.change_password(owned.account_id, ChangePassword(PASSWORD, NEW), owned.signed_in.refresh_token)

    await evening.accounts.refresh(owned.signed_in.refresh_token)
    with pytest.raises(NotSignedIn):
        await evening.accounts.refresh(other.refresh_token)


# ---- the address --------------------------------------------------------------------------------------------------


async def _reported(evening: Evening, owned: Owned) -> None:
    await evening.closing.close(owned.account_id, owned.store_id)

    async def is_reported() -> bool:
        return (await evening.storage.read(stores.one, owned.store_id)).state == "reported"

    await until_async(is_reported, what="the report")


def _reports(evening: Evening, email: str) -> list[Any]:
    return [each for each in evening.office.mail.to(email) if each.delivery.needs_report]


async def test_a_held_report_goes_out_when_the_address_is_confirmed(evening: Evening, owned: Owned) -> None:
    await _reported(evening, owned)
    assert (await evening.closing.view(owned.account_id, owned.store_id)).waits_for == "confirmation"
    assert _reports(evening, owned.email) == []

    await evening.accounts.confirm(await evening.link(owned.email, "confirm_email"))

    await until_async(lambda: _reports(evening, owned.email), what="the report")
    assert await evening.is_confirmed(owned)


async def test_a_held_report_goes_out_when_the_password_is_reset_by_mail(evening: Evening, owned: Owned) -> None:
    await _reported(evening, owned)
    await evening.accounts.forgot(owned.email, base=BASE)

    await evening.accounts.reset(await evening.link(owned.email, "reset_password"), NEW)

    await until_async(lambda: _reports(evening, owned.email), what="the report")


async def test_an_address_that_was_never_confirmed_is_corrected_at_once_and_the_report_follows(evening: Evening, owned: Owned) -> None:
    await _reported(evening, owned)
    wrong_link = await evening.link(owned.email, "confirm_email")

    await evening.accounts.change_email(owned.account_id, ChangeEmail(PASSWORD, "Right@example.com"), base=BASE)

    assert (await evening.accounts.view(owned.account_id)).email == "right@example.com"
    with pytest.raises(LinkExpired):
        await evening.accounts.confirm(wrong_link)
    await evening.accounts.confirm(await evening.link("right@example.com", "confirm_email"))
    await until_async(lambda: _reports(evening, "right@example.com"), what="the report")
    assert _reports(evening, owned.email) == []


async def test_a_confirmed_address_changes_by_link_only_and_is_warned(evening: Evening) -> None:
    owned = await evening.open(confirmed=True)

    await evening.accounts.change_email(owned.account_id, ChangeEmail(PASSWORD, "new@example.com"), base=BASE)
    assert (await evening.accounts.view(owned.account_id)).email == owned.email
    await until_async(lambda: "email_changed" in _mails(evening, owned.email), what="the warning")
    await evening.accounts.confirm(await evening.link("new@example.com", "confirm_email"))

    view = await evening.accounts.view(owned.account_id)
    assert (view.email, view.confirmed) == ("new@example.com", True)


async def test_the_address_changes_for_who_knows_the_password_only(evening: Evening, owned: Owned) -> None:
    with pytest.raises(WrongPassword):
        await evening.accounts.change_email(owned.account_id, ChangeEmail("wrong", "thief@example.com"), base=BASE)
    with pytest.raises(InvalidInput):
        await evening.accounts.change_email(owned.account_id, ChangeEmail(PASSWORD, "no address"), base=BASE)

    other = await evening.open("other@example.com")
    with pytest.raises(EmailTaken):
        await evening.accounts.change_email(owned.account_id, ChangeEmail(PASSWORD, other.email), base=BASE)
    assert (await evening.accounts.view(owned.account_id)).email == owned.email


async def test_the_link_to_confirm_is_sent_again_until_it_is_confirmed(evening: Evening, owned: Owned) -> None:
    await evening.accounts.resend(owned.account_id, base=BASE)
    await until_async(lambda: len(_mails(evening, owned.email)) == 2, what="the second mail")
    await evening.accounts.confirm(await evening.link(owned.email, "confirm_email"))
    before = await _count(evening, "links")

    await evening.accounts.resend(owned.account_id, base=BASE)

    assert await _count(evening, "links") == before


@pytest.mark.parametrize("token", ["", "x", "x.y", "\0", "\ud800.x", "x" * 512])
async def test_a_link_that_is_none_of_ours_does_nothing(evening: Evening, owned: Owned, token: str) -> None:
    for use in (evening.accounts.confirm(token), evening.accounts.reset(token, NEW)):
        with pytest.raises(LinkExpired):
            await use


# ---- a stolen database --------------------------------------------------------------------------------------------


def _everything() -> Operation[list[Row]]:
    found: list[Row] = []
    for table in ("accounts", "sessions", "links", "stores", "codes", "jobs", "events", "answers", "tickets"):
        found += yield Statement(f"select * from {table}", ())
    return found


async def test_no_secret_stands_in_the_database_once_it_was_sent(database_url: str) -> None:
    async with an_evening(database_url) as evening:
        owned = await evening.open(confirmed=True)
        code, secrets = await evening.code(owned), list[str]()
        (ticket,) = (await evening.join(owned, "Ann", phone="+4915112345678")).tickets
        await evening.accounts.forgot(owned.email, base=BASE)
        secrets += [await evening.link(owned.email, moment) for moment in ("reset_password", "confirm_email")]
        renewed = await evening.accounts.refresh(owned.signed_in.refresh_token)
        secrets += [code, await evening.code(owned), ticket.token, PASSWORD, "key of one phone"]
        secrets += [owned.signed_in.refresh_token, renewed.refresh_token, owned.token, renewed.tokens.access_token]
        await until_async(lambda: evening.office.text.given, what="the text")

        async def is_settled() -> bool:
            return not await evening.storage.read(jobs.fronts)

        await until_async(is_settled, what="all deliveries")
        kept = msgspec.json.encode([list(row) for row in await evening.storage.read(_everything)]).decode()
        await evening.storage.scrub()  # as at the end of every store
    assert "luigi@example.com" in kept
    if database_url.startswith("sqlite"):
        path = Path(database_url.removeprefix("sqlite:///"))
        kept += b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*")).decode("latin-1")
    assert [secret for secret in secrets if secret in kept or secret.rpartition(".")[2] in kept] == []


async def test_an_account_that_is_gone_is_signed_in_nowhere(evening: Evening) -> None:
    for ask in (evening.accounts.view("nobody"), evening.accounts.resend("nobody", base=BASE)):
        with pytest.raises(NowServingError):
            await ask
    assert await evening.storage.read(accounts.by_email, "nobody@example.com") is None
