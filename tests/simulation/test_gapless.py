"""Thousands of bad evenings in no time: whatever is lost, late, repeated, slow or killed, every phone sees the truth in the end.

A failure names its seed; `make soak` plays 5,000 of them.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest

from realtime.errors import NowServingError
from realtime.model import Action
from realtime.operations import joining, snapshots, stores, tickets
from realtime.storage.statement import Operation, Statement
from realtime.views import owner_snapshot, public_snapshot
from tests.flows.view import View
from tests.simulation import clock
from tests.simulation.world import KEYS, OWNER, Process, World
from tests.support.operations import Direct

SCHEDULES = int(os.environ.get("SCHEDULES", "300"))
AT_ONCE = 50
QUIET_S = 60


def a_change(world: World, process: Process) -> None:
    store_id = world.random.choice(world.stores)
    kind = world.random.random()
    if kind < 0.45:
        guests = tuple(joining.Guest(world.random.choice("AB"), "Ann", "", "", 2) for _ in range(world.random.randint(1, 3)))
        world.commit(process, joining.join(store_id, guests, None, None, world.now_ms))
    elif kind < 0.7:
        world.commit(process, tickets.call_next(store_id, world.random.choice("AB"), "Desk 1", None, world.now_ms))
    elif kind < 0.9:
        if live := world.database.run(live_tickets(store_id)):
            action = world.random.choice([Action.LEAVE, Action.SERVE, Action.DONE, Action.NO_SHOW])
            with suppress(NowServingError):
                world.commit(process, tickets.change(store_id, world.random.choice(live), action, "", None, world.now_ms))
    else:
        change = stores.StoreChange(name=f"Shop {world.now_ms}")
        world.commit(process, stores.edit(store_id, f"{OWNER}{store_id[4:]}", change, world.now_ms))


def live_tickets(store_id: str) -> Operation[list[int]]:
    rows = yield Statement(
        "select id from tickets where store_id = $1 and state in ('called', 'serving', 'waiting') order by id", (store_id,)
    )
    return [row[0] for row in rows]


def go_back(world: World) -> None:
    """The database loses its last commits, as after a failover; what happens next gets the same numbers."""
    store_id = world.random.choice(world.stores)
    seq = world.database.run(stores.one(store_id)).seq
    kept = max(2, seq - world.random.randint(1, 5))

    def lose() -> object:
        yield Statement("delete from tickets where store_id = $1 and id > $2", (store_id, kept))
        yield Statement("delete from events where store_id = $1 and seq > $2", (store_id, kept))
        yield Statement("update stores set seq = $2 where id = $1", (store_id, kept))

    world.pasts += 1
    world.database.run(lose())  # type: ignore[arg-type]  # an operation without a value


def something_bad(world: World) -> None:
    kind = world.random.random()
    if kind < 0.35:
        world.random.choice(world.phones).lose()
    elif kind < 0.5:
        phone = world.random.choice(world.phones)
        phone.stuck = not phone.stuck
    elif kind < 0.65:
        world.replace(world.random.choice(world.processes))
    elif kind < 0.68:
        go_back(world)
    elif kind < 0.85:
        world.fails = world.random.choice([0.0, 0.0, 0.2])
    else:
        world.loses, world.repeats = world.random.choice([(0.0, 0.0), (0.3, 0.3), (1.0, 0.0)])


def truth(world: World, topic: str) -> View:
    """What somebody who comes anew is told."""
    _, store_id, audience = topic.split("/")
    everything = world.database.run(snapshots.everything(store_id))
    owner = audience == "owner"
    body = owner_snapshot(everything.owner(), KEYS, "http://shop.example") if owner else public_snapshot(everything.public(), None)
    view = View(topic)
    view.replace({"epoch": everything.store.epoch, "seq": everything.store.seq, "snapshot": msgspec.json.decode(msgspec.json.encode(body))})
    return view


async def an_evening(seed: int, database: Direct) -> list[str]:
    """What is wrong at its end. The seed alone decides what happens; the database is emptied first."""
    wrong: list[str] = []
    async with asyncio.TaskGroup() as group:
        world = World(seed, group, database)
        for phone in world.phones:
            world.start(phone.connect())
        # In the same time, many short evenings find more than few long ones; some faults need a long one.
        for _ in range(world.random.randint(50, 150) if world.chance(0.1) else world.random.randint(10, 50)):
            await world.pause(0.05)
            if world.chance(0.2):
                something_bad(world)
            else:
                a_change(world, world.random.choice(world.processes))
        world.fails = world.loses = world.repeats = 0
        for phone in world.phones:
            phone.stuck = False
        await asyncio.sleep(QUIET_S)
        fresh_views = {topic: truth(world, topic) for topic in {phone.topic for phone in world.phones}}
        for number, phone in enumerate(world.phones):
            fresh = fresh_views[phone.topic]
            if phone.socket is None:
                wrong.append(f"phone {number} is not connected")
            if phone.view.seq != fresh.seq:
                wrong.append(f"phone {number} is at {phone.view.seq} of {fresh.seq}")
            # Until the past that was lost has another name, a client is told that it knew more than there is.
            faults = [each for each in phone.view.faults if not (world.pasts and "and given the state of" in each)]
            wrong += [f"phone {number}: {each}" for each in (*phone.view.differences(fresh), *faults)]
        world.over = True
        for process in world.processes:
            process.tasks.end()
    return wrong


@pytest.mark.parametrize("block", range(0, SCHEDULES, AT_ONCE))
def test_every_phone_sees_the_truth_in_the_end(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.views.svg", lambda link: "<svg/>")  # half of the time would go into drawing
    with closing(Direct(Path(":memory:"))) as database:
        for seed in range(block, block + AT_ONCE):
            wrong = clock.run(an_evening(seed, database))
            assert not wrong, f"seed {seed}: {wrong[:5]}"
