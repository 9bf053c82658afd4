"""A queue as a few lines of Python, and the operations on SQLite beside it: whatever is done to both, they agree."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from realtime.errors import NobodyWaiting, NowServingError, QueuePaused, StoreClosed, WrongState
from realtime.keys import Keys
from realtime.model import MOVES, Action, StoreState, TicketState
from realtime.operations import accounts, joining, snapshots, stores, tickets
from realtime.storage.statement import Operation
from tests.support.operations import Direct

QUEUES = ("A", "B")
STORE, OWNER = "shop", "owner"


@dataclass
class Party:
    """A ticket, as simple as it can be."""

    queue: str
    number: int
    state: TicketState = TicketState.WAITING
    desk: str = ""
    calls: int = 0
    times: dict[str, int] = field(default_factory=lambda: {"called": 0, "served": 0, "ended": 0})


class Evening(RuleBasedStateMachine):
    """The reference: parties in the order they joined; whoever waits and came first is the next."""

    parties = Bundle("parties")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Direct(Path(self.folder.name) / "nowserving.db")
        self.now = 1_000
        self.seq = 2
        self.open = True
        self.paused: set[str] = set()
        self.model: dict[int, Party] = {}
        self.numbers = dict.fromkeys(QUEUES, 0)
        keys = Keys("k" * 40)
        session = accounts.Session("token", "family", 10**13)
        self.database.run(accounts.make(OWNER, "owner@example.org", "hash", session, 1))
        new = stores.NewStore("Luigi's", "", "UTC", "#112233", 3, False, [stores.NewQueue(name) for name in QUEUES])
        self.database.run(stores.open_store(STORE, OWNER, "epoch", new, keys.code_hash, self.now, 10**13, 10**13))

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    def _try(self, operation: Operation[Any], refusal: type[NowServingError] | None) -> Any:
        """Does it, or is refused as the reference says; returns what the operation made."""
        self.now += 1
        if not self.open:
            refusal = StoreClosed
        if refusal is None:
            return self.database.run(operation)
        with pytest.raises(refusal):
            self.database.run(operation)
        return None

    # ---- what can be done

    @rule(target=parties, queues=st.lists(st.sampled_from(QUEUES), min_size=1, max_size=3))
    def join(self, queues: list[str]) -> Any:
        guests = tuple(joining.Guest(queue, f"Party {number}", "", "", 1) for number, queue in enumerate(queues))
        refusal = QueuePaused if self.paused & set(queues) else None
        change = self._try(joining.join(STORE, guests, None, None, self.now), refusal)
        if change is None:
            return multiple()
        for queue in queues:
            self.seq += 1
            self.numbers[queue] += 1
            self.model[self.seq] = Party(queue, self.numbers[queue])
        made = [ticket.id for ticket in change.value]
        assert made == list(self.model)[-len(queues) :]
        assert [event.seq for event in change.events] == made
        return multiple(*made)

    @rule(queue=st.sampled_from(QUEUES), desk=st.sampled_from(["", "Desk 1", "Bar"]))
    def call_next(self, queue: str, desk: str) -> None:
        line = [id_ for id_, party in sorted(self.model.items()) if party.queue == queue and party.state is TicketState.WAITING]
        change = self._try(tickets.call_next(STORE, queue, desk, None, self.now), None if line else NobodyWaiting)
        if change is not None:
            assert change.value.id == line[0]
            self._moved(line[0], Action.CALL, desk, change)

    @rule(id_=parties, action=st.sampled_from(Action), desk=st.sampled_from(["", "Desk 2"]))
    def change(self, id_: int, action: Action, desk: str) -> None:
        allowed, _ = MOVES[action]
        refusal = None if self.model[id_].state in allowed else WrongState
        change = self._try(tickets.change(STORE, id_, action, desk, None, self.now), refusal)
        if change is not None:
            self._moved(id_, action, desk, change)

    @rule(queue=st.sampled_from(QUEUES), paused=st.booleans())
    def pause(self, queue: str, paused: bool) -> None:
        edit = stores.StoreChange(queues=(stores.QueueChange(queue, paused=paused),))
        change = self._try(stores.edit(STORE, OWNER, edit, self.now), None)
        if change is not None:
            self.seq += 1
            self.paused = self.paused | {queue} if paused else self.paused - {queue}

    @precondition(lambda self: len(self.model) > 12)
    @rule(last=consumes(parties))
    def close(self, last: int) -> None:
        change = self._try(stores.close(STORE, self.now), None)
        if change is not None:
            self.seq += 1
            self.open = False

    def _moved(self, id_: int, action: Action, desk: str, change: Any) -> None:
        self.seq += 1
        party, now = self.model[id_], self.now - 1  # the operation was made before the clock went on
        _, party.state = MOVES[action]
        if action in (Action.CALL, Action.RECALL):
            party.calls += 1
            party.times["called"] = now
        if action is Action.CALL:
            party.desk = desk
        elif action in (Action.RECALL, Action.SERVE, Action.DONE, Action.NO_SHOW):
            party.desk = desk or party.desk
        if action is Action.SERVE:
            party.times["served"] = now
            party.times["called"] = party.times["called"] or now
        if action is Action.DONE:
            party.times["served"] = party.times["served"] or now
        if party.state in (TicketState.DONE, TicketState.NO_SHOW, TicketState.LEFT, TicketState.REMOVED):
            party.times["ended"] = now
        if action is Action.RETURN:
            party.desk, party.times = "", {"called": 0, "served": 0, "ended": 0}
        assert [event.seq for event in change.events] == [self.seq]

    # ---- what holds at any time

    @invariant()
    def every_ticket_is_as_it_should_be(self) -> None:
        for id_, party in self.model.items():
            ticket = self.database.run(tickets.one(STORE, id_))
            assert (ticket.queue, ticket.number, ticket.state, ticket.desk, ticket.calls) == (
                party.queue,
                party.number,
                party.state,
                party.desk,
                party.calls,
            )
            assert {"called": ticket.called_ms, "served": ticket.served_ms, "ended": ticket.ended_ms} == party.times

    @invariant()
    def the_lines_are_counted_and_stand_in_order(self) -> None:
        lines = {queue: [id_ for id_, p in sorted(self.model.items()) if p.queue == queue and p.state == "waiting"] for queue in QUEUES}
        assert self.database.run(snapshots.waiting(STORE)) == {queue: len(line) for queue, line in lines.items()}
        whole = self.database.run(snapshots.everything(STORE)).public()
        waiting = [ticket.id for ticket in whole.tickets if ticket.state is TicketState.WAITING]
        assert waiting == lines["A"] + lines["B"]
        for line in lines.values():
            for ahead, id_ in enumerate(line):
                assert self.database.run(snapshots.own(STORE, id_)).ahead == ahead

    @invariant()
    def every_change_has_one_event_and_no_number_is_missing(self) -> None:
        store = self.database.run(stores.one(STORE))
        events = self.database.run(snapshots.after(STORE, 0, 10_000))
        assert store.seq == self.seq
        assert [event.seq for event in events] == list(range(1, self.seq + 1))
        assert (store.state is StoreState.OPEN) == self.open


TestEvening = Evening.TestCase
TestEvening.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
