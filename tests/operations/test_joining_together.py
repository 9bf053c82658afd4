"""Parties that join at the same time: whatever they are, they get what they would have got one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime.errors import CodeExpired, CodeUsed, NowServingError, QueueNotFound, QueuePaused, Refused, StoreNotFound
from realtime.keys import Keys, digest
from realtime.model import Delivery
from realtime.operations import accounts, codes, joining, snapshots, stores
from realtime.operations.changes import Moment
from realtime.operations.joining import Guest, Proof
from realtime.storage.statement import Operation, Row, Statement
from tests.operations.conftest import FAR_MS, Shop
from tests.support.operations import Direct

KEYS = Keys("k" * 40)
STORES = ("shop", "bar")


class Owes:
    """An SMS and a mail for whoever joins and left a number."""

    def check(self, moment: Moment) -> str | None:
        return None

    def compose(self, moment: Moment) -> Sequence[Delivery]:
        phone = moment.ticket.phone
        return [Delivery(by, phone, "joined", {"ahead": moment.ahead}) for by in ("sms", "email")] if phone else []


def opened(folder: Path, name: str) -> Direct:
    database = Direct(folder / name)
    for store_id in STORES:
        session = accounts.Session(f"token {store_id}", "family", FAR_MS)
        database.run(accounts.make(f"owner-{store_id}", f"{store_id}@example.org", "hash", session, 1))
        new = stores.NewStore(store_id, "", "UTC", "#112233", 3, False, [stores.NewQueue("Two"), stores.NewQueue("Bar")])
        database.run(stores.open_store(store_id, f"owner-{store_id}", "epoch", new, KEYS.code_hash, 1_000, FAR_MS, FAR_MS))
    return database


def everything() -> Operation[list[list[Row]]]:
    found = []
    for table in ("stores", "queues", "tickets", "events", "codes", "jobs"):
        found.append((yield Statement(f"select * from {table} order by 1, 2, 3")))
    return found


def scanned(database: Direct, store_id: str, count: int) -> list[Proof]:
    proofs = []
    for number in range(1, count + 1):
        code, phone = KEYS.code(store_id, number), f"phone {number}"
        database.run(codes.scan(store_id, digest(code), phone, KEYS.code_hash, 1_500, FAR_MS, FAR_MS))
        proofs.append(Proof(digest(code), phone))
    return proofs


GUESTS = st.builds(
    Guest,
    queue=st.sampled_from("AB"),
    name=st.sampled_from(["Ann", "Bo"]),
    phone=st.sampled_from(["", "+4915112345678"]),
    email=st.just(""),
    party=st.integers(1, 9),
    languages=st.sampled_from([(), ("de",), ("it", "en")]),
)
CALLS = st.lists(
    st.tuples(st.sampled_from(STORES), st.lists(GUESTS, min_size=1, max_size=3), st.booleans(), st.booleans(), st.integers(2_000, 2_005)),
    min_size=2,
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=CALLS)
def test_together_is_as_one_after_the_other(tmp_path_factory: pytest.TempPathFactory, wanted: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("joining")
    outcomes = []
    for name in ("singly", "together"):
        database = opened(folder, name)
        proofs = {store_id: iter(scanned(database, store_id, len(wanted))) for store_id in STORES}
        calls = [
            (store_id, tuple(guests), next(proofs[store_id]) if proved else None, Owes() if ruled else None, now)
            for store_id, guests, proved, ruled, now in wanted
        ]
        if name == "singly":
            changes = [database.run(joining.join(*call)) for call in calls]
        else:
            changes = database.run(joining.join.many(calls))
        outcomes.append((msgspec.to_builtins(changes), database.run(everything())))
        database.close()

    assert outcomes[0] == outcomes[1]


async def test_one_that_cannot_join_does_not_keep_the_others_out(shop: Shop) -> None:
    await shop.scan(1, "phone 1")
    await shop.storage.write(_pause, shop.store_id)
    proof = Proof(shop.code(1), "phone 1")

    def join(name: str, queue: str = "A", proof: Proof | None = None, store_id: str = shop.store_id) -> Any:
        return shop.storage.write(joining.join, store_id, (Guest(queue, name, "", "", 1),), proof, shop.rules, 2_000)

    outcomes = await asyncio.gather(
        join("Ann"),
        join("Mallory"),
        join("Bo", proof=proof),
        join("Cy", proof=proof),
        join("Di", proof=Proof(digest("no code"), "phone 1")),
        join("Ed", queue="B"),
        join("Flo", queue="Z"),
        join("Gus", store_id="nowhere"),
        join("Hal"),
        return_exceptions=True,
    )

    refused = [type(outcome) for outcome in outcomes if isinstance(outcome, NowServingError)]
    joined = [outcome.value[0].label for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert refused == [Refused, CodeUsed, CodeExpired, QueuePaused, QueueNotFound, StoreNotFound]
    assert joined == ["A01", "A02", "A03"]
    seen = await shop.storage.read(snapshots.owner, shop.store_id)
    assert [ticket.name for ticket in seen.tickets] == ["Ann", "Bo", "Hal"]


def _pause(store_id: str) -> Operation[None]:
    yield Statement("update queues set paused = 1 where store_id = $1 and id = 'B'", (store_id,))
