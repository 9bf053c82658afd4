"""A store's day: whoever asks twice is answered once, whoever may not is refused, and what is refused changes nothing."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from realtime.errors import (
    CodeExpired,
    CodeUsed,
    Conflict,
    InvalidInput,
    NotFound,
    QueueNotFound,
    QueuePaused,
    Refused,
    StoreNotFound,
    StoreOpen,
    TicketNotFound,
    WrongState,
)
from realtime.messages import EditStore, Join, OpenStore, Party, QueueDraft, QueueEdit, ScanCode
from realtime.operations import snapshots, stores
from tests.support.evening import BASE, PHONE, Evening, Owned, an_evening
from tests.support.waiting import until_async

OTHER_PHONE = "key of another phone"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    async with an_evening(database_url) as evening:
        yield evening


@pytest.fixture
async def owned(evening: Evening) -> Owned:
    return await evening.open()


async def _seq(evening: Evening, owned: Owned) -> int:
    return (await evening.storage.read(stores.one, owned.store_id)).seq


async def _scan(evening: Evening, code: str, key: str = PHONE, *held: str) -> Any:
    return await evening.reception.scan(code, ScanCode(key), held, base=BASE)


def _join(code: str, *parties: Party, key: str = PHONE) -> Join:
    return Join(code, key, list(parties or (Party("Ann", "A"),)))


# ---- opening and editing ------------------------------------------------------------------------------------------


async def test_an_account_has_one_open_store(evening: Evening, owned: Owned) -> None:
    request = OpenStore("Second", [QueueDraft("A")])
    for again in (
        evening.reception.open_store(owned.account_id, request, base=BASE),
        evening.reception.open_again(owned.account_id, base=BASE),
    ):
        with pytest.raises(StoreOpen):
            await again


async def test_the_next_store_opens_as_the_last_one_was_left(evening: Evening, owned: Owned) -> None:
    edit = EditStore(name="Luigi's II", queues=[QueueEdit("B", name="Terrace")], add_queues=[QueueDraft("Take-away")])
    await evening.reception.edit_store(owned.account_id, owned.store_id, edit, base=BASE)
    await evening.closing.close(owned.account_id, owned.store_id)

    again = await evening.reception.open_again(owned.account_id, base=BASE)

    snapshot = await evening.reception.owner_snapshot(owned.account_id, again, base=BASE)
    assert again != owned.store_id
    assert snapshot.store.name == "Luigi's II"
    assert [queue.name for queue in snapshot.queues] == ["Table for two", "Terrace", "Take-away"]


async def test_who_never_opened_a_store_has_none_to_open_again(evening: Evening, owned: Owned) -> None:
    with pytest.raises(NotFound):
        await evening.reception.open_again("nobody", base=BASE)


async def test_an_edit_happens_whole_or_not_at_all(evening: Evening, owned: Owned) -> None:
    before = await evening.reception.owner_snapshot(owned.account_id, owned.store_id, base=BASE)
    for edit, refusal in (
        (EditStore(name="New", queues=[QueueEdit("Z", name="x")]), QueueNotFound),
        (EditStore(name="New", add_queues=[QueueDraft(f"Q{number}") for number in range(25)]), Conflict),
        (EditStore(name="New", queues=[QueueEdit("A", name="b\0d")]), InvalidInput),
        (EditStore(name="New", queues=[QueueEdit("A", logo="data:image/png;base64,AAAA")]), InvalidInput),
    ):
        with pytest.raises(refusal):
            await evening.reception.edit_store(owned.account_id, owned.store_id, edit, base=BASE)

    assert await evening.reception.owner_snapshot(owned.account_id, owned.store_id, base=BASE) == before


async def test_a_logo_is_given_as_it_came_under_its_own_address(evening: Evening, owned: Owned) -> None:
    data = "data:image/png;base64," + base64.b64encode(PNG).decode()
    edit = EditStore(queues=[QueueEdit("A", logo=data)])
    snapshot = await evening.reception.edit_store(owned.account_id, owned.store_id, edit, base=BASE)
    version = snapshot.queues[0].logo.rpartition("/")[2]

    assert await evening.reception.logo(owned.store_id, "A", version) == ("image/png", PNG)
    for store_id, queue, wanted in ((owned.store_id, "A", "old"), (owned.store_id, "B", version), ("nowhere", "A", version)):
        with pytest.raises(NotFound):
            await evening.reception.logo(store_id, queue, wanted)

    await evening.reception.edit_store(owned.account_id, owned.store_id, EditStore(queues=[QueueEdit("A", logo="")]), base=BASE)
    with pytest.raises(NotFound):
        await evening.reception.logo(owned.store_id, "A", version)


# ---- scanning -----------------------------------------------------------------------------------------------------


async def test_the_same_phone_scans_again_and_is_answered_the_same(evening: Evening, owned: Owned) -> None:
    code = await evening.code(owned)

    first = await _scan(evening, code)
    seq = await _seq(evening, owned)
    again = await _scan(evening, code)

    assert again == first
    assert first.ticket == ""
    assert await _seq(evening, owned) == seq
    assert await evening.code(owned) != code


async def test_another_phone_that_scans_a_moment_later_is_told_to_scan_the_new_one(evening: Evening, owned: Owned) -> None:
    code = await evening.code(owned)
    await _scan(evening, code)

    with pytest.raises(CodeUsed):
        await _scan(evening, code, OTHER_PHONE)
    await _scan(evening, await evening.code(owned), OTHER_PHONE)


async def test_of_many_phones_that_scan_at_once_one_wins(evening: Evening, owned: Owned) -> None:
    code = await evening.code(owned)

    answers = await asyncio.gather(*(_scan(evening, code, f"key of phone {number:04}") for number in range(20)), return_exceptions=True)

    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert all(isinstance(answer, CodeUsed) for answer in answers if isinstance(answer, BaseException))


async def test_a_phone_with_a_live_ticket_is_shown_that_ticket_and_uses_no_code(evening: Evening, owned: Owned) -> None:
    (ann,) = (await evening.join(owned, "Ann")).tickets
    code = await evening.code(owned)

    scanned = await _scan(evening, code, PHONE, "nonsense", ann.token)

    assert scanned.ticket == "A01"
    assert await evening.code(owned) == code
    await evening.reception.leave(ann.token)
    assert (await _scan(evening, code, PHONE, ann.token)).ticket == ""


async def test_a_ticket_of_another_store_is_no_ticket_here(evening: Evening, owned: Owned) -> None:
    other = await evening.open("other@example.com")
    (ann,) = (await evening.join(other, "Ann")).tickets

    assert (await _scan(evening, await evening.code(owned), PHONE, ann.token)).ticket == ""


async def test_a_code_expires_on_the_screen_and_on_the_phone(evening: Evening, owned: Owned) -> None:
    code = await evening.code(owned)
    await _scan(evening, code)
    shown = await evening.code(owned)
    evening.clock.ahead_ms += 15 * 60_000 + 1

    with pytest.raises(CodeExpired):
        await _scan(evening, shown, OTHER_PHONE)
    with pytest.raises(CodeExpired):
        await evening.reception.join(_join(code), base=BASE)


async def test_an_owner_who_asks_now_and_then_is_shown_a_code_that_is_good_for_a_while(evening: Evening, owned: Owned) -> None:
    before = (await evening.reception.owner_snapshot(owned.account_id, owned.store_id, base=BASE)).code
    evening.clock.ahead_ms += 24 * 3_600_000 - 3_600_000  # nobody has it on a screen that would have it renewed

    after = (await evening.reception.owner_snapshot(owned.account_id, owned.store_id, base=BASE)).code

    assert before is not None
    assert after is not None
    assert after.number == before.number + 1
    await _scan(evening, after.link.rpartition("/")[2])


@pytest.mark.parametrize("odd", ["", "x", "nowhere.x", "\0.x", "sh\0p.x", "x.\0", "." * 64])
async def test_a_code_that_is_none_leads_nowhere(evening: Evening, owned: Owned, odd: str) -> None:
    for ask in (evening.reception.code_page(odd), _scan(evening, odd), evening.reception.join(_join(odd), base=BASE)):
        with pytest.raises((CodeExpired, StoreNotFound)):
            await ask
    for made_up in (f"{owned.store_id}.x", f"{owned.store_id}.\0"):
        with pytest.raises(CodeExpired):
            await evening.reception.code_page(made_up)


async def test_looking_at_a_code_uses_nothing_and_says_how_it_stands(evening: Evening, owned: Owned) -> None:
    code = await evening.code(owned)
    states = [(await evening.reception.code_page(code)).state]
    await _scan(evening, code)
    states.append((await evening.reception.code_page(code)).state)
    await evening.reception.join(_join(code), base=BASE)
    page = await evening.reception.code_page(code)
    shown = await evening.code(owned)
    evening.clock.ahead_ms += 3_600_000

    assert [*states, page.state] == ["fresh", "scanned", "used"]
    assert page.waiting == {"A": 1, "B": 0}
    assert (await evening.reception.code_page(shown)).state == "expired"


# ---- joining ------------------------------------------------------------------------------------------------------


async def test_five_parties_join_with_one_code_and_the_second_sending_is_answered_the_same(evening: Evening, owned: Owned) -> None:
    code = await evening.code(owned)
    await _scan(evening, code)
    request = _join(code, *(Party(f"Party {number}", "AB"[number % 2], party=number + 1) for number in range(5)))

    first = await evening.reception.join(request, base=BASE)
    seq = await _seq(evening, owned)
    again = await evening.reception.join(request, base=BASE)

    assert [ticket.label for ticket in first.tickets] == ["A01", "B01", "A02", "B02", "A03"]
    assert again == first
    assert await _seq(evening, owned) == seq


async def test_one_request_that_arrives_twice_at_once_joins_once(evening: Evening, owned: Owned) -> None:
    code = await evening.code(owned)
    await _scan(evening, code)

    answers = await asyncio.gather(*(evening.reception.join(_join(code), base=BASE) for _ in range(5)))

    assert len({msgspec.json.encode(answer) for answer in answers}) == 1
    assert await evening.storage.read(snapshots.waiting, owned.store_id) == {"A": 1, "B": 0}


async def test_another_phones_key_joins_neither_before_nor_after(evening: Evening, owned: Owned) -> None:
    code = await evening.code(owned)
    await _scan(evening, code)
    stolen = _join(code, key=OTHER_PHONE)

    with pytest.raises(CodeUsed):
        await evening.reception.join(stolen, base=BASE)
    await evening.reception.join(_join(code), base=BASE)
    with pytest.raises(CodeUsed):
        await evening.reception.join(stolen, base=BASE)


@pytest.mark.parametrize(
    ("party", "field"),
    [
        (Party(" ", "A"), "parties[1].name"),
        (Party("An\0n", "A"), "parties[1].name"),
        (Party("Ann", "A", phone="12"), "parties[1].phone"),
        (Party("Ann", "A", phone="+49 151 2345678\r\nX"), "parties[1].phone"),
        (Party("Ann", "A", email="ann@"), "parties[1].email"),
        (Party("Ann", "A", email="a@b.cd\nBcc: x@y.zz"), "parties[1].email"),
    ],
)
async def test_what_cannot_be_used_is_named_and_the_code_stays(evening: Evening, owned: Owned, party: Party, field: str) -> None:
    code = await evening.code(owned)
    await _scan(evening, code)

    with pytest.raises(InvalidInput) as refused:
        await evening.reception.join(_join(code, Party("Bo", "A"), party), base=BASE)

    assert refused.value.field == field
    await evening.reception.join(_join(code, Party("Bo", "A")), base=BASE)


async def test_a_party_that_a_plugin_refuses_undoes_the_whole_request(evening: Evening, owned: Owned) -> None:
    code = await evening.code(owned)
    await _scan(evening, code)
    seq = await _seq(evening, owned)

    with pytest.raises(Refused, match="Not you again"):
        await evening.reception.join(_join(code, Party("Ann", "A"), Party("Mallory", "A")), base=BASE)

    assert await _seq(evening, owned) == seq
    (ann,) = (await evening.reception.join(_join(code), base=BASE)).tickets
    assert ann.label == "A01"


async def test_a_queue_that_takes_nobody_leaves_the_code(evening: Evening, owned: Owned) -> None:
    code = await evening.code(owned)
    await _scan(evening, code)
    await evening.reception.edit_store(owned.account_id, owned.store_id, EditStore(queues=[QueueEdit("A", paused=True)]), base=BASE)

    with pytest.raises(QueuePaused) as paused:
        await evening.reception.join(_join(code, Party("Ann", "B"), Party("Bob", "A")), base=BASE)
    with pytest.raises(QueueNotFound) as unknown:
        await evening.reception.join(_join(code, Party("Ann", "Z")), base=BASE)

    assert (paused.value.field, unknown.value.field) == ("parties[1].queue", "parties[0].queue")
    await evening.reception.join(_join(code, Party("Ann", "B")), base=BASE)


async def test_a_link_to_the_ticket_is_sent_to_who_left_a_number_or_an_address(evening: Evening, owned: Owned) -> None:
    joined = await evening.join(owned, "Ann", phone="+49 151 12345678", email="Ann@Example.com")

    text = await _given(evening, "+4915112345678")
    mail = await _given(evening, "ann@example.com")
    assert text.body["link"] == mail.body["link"] == joined.tickets[0].link
    assert joined.tickets[0].link == f"{BASE}/t#{joined.tickets[0].token}"


async def _given(evening: Evening, recipient: str) -> Any:
    posts = (evening.office.text, evening.office.mail)
    found = await until_async(lambda: [each for post in posts for each in post.to(recipient)], what="the delivery")
    return found[0].delivery


# ---- the party ----------------------------------------------------------------------------------------------------


async def test_a_party_sees_its_own_ticket_and_leaves_once(evening: Evening, owned: Owned) -> None:
    ann, bo = (await evening.join(owned, "Ann", "Bo")).tickets

    own = await evening.reception.own_ticket(bo.token, base=BASE)
    assert (own.label, own.name, own.ahead, own.state) == ("A02", "Bo", 1, "waiting")

    await evening.reception.leave(ann.token)
    with pytest.raises(WrongState):
        await evening.reception.leave(ann.token)
    assert (await evening.reception.own_ticket(bo.token, base=BASE)).ahead == 0
    assert (await evening.reception.own_ticket(ann.token, base=BASE)).state == "left"


@pytest.mark.parametrize("token", ["", "x", "\0", "shop.1.x", "a.b.c.d"])
async def test_a_token_that_is_none_of_ours_shows_and_does_nothing(evening: Evening, owned: Owned, token: str) -> None:
    for ask in (evening.reception.own_ticket(token, base=BASE), evening.reception.leave(token)):
        with pytest.raises(TicketNotFound):
            await ask
