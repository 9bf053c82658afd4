"""What goes to sockets: who may hear what, whole states and missed events for those who come, and every commit in its order for those who stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

import msgspec

from realtime import events
from realtime.admission import Admission
from realtime.admission import Granted as Granted
from realtime.clerk import Tasks
from realtime.errors import Dropped, NowServingError, StoreClosed, StoreNotFound
from realtime.frames import text_frame
from realtime.house import House
from realtime.hub import Hub, Sink
from realtime.keys import Keys
from realtime.messages import CodeView
from realtime.model import Code, Event, StoreState
from realtime.operations import snapshots, stores
from realtime.operations.snapshots import Whole
from realtime.shown_codes import ShownCodes
from realtime.storage.statement import Storage
from realtime.views import code_view, own_view, owner_snapshot, public_snapshot

_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("nowserving.live")

_GAP_S = 0.05
"""How long a commit may wait for the one before it, which another task is about to tell; then it is read from the event rows."""
_FILL = 500
_AGAIN_S = 1.0
"""How long a database that failed is left alone before missing events are asked for again."""
_AUDIENCES = ("owner", "public", "board")


class _State(msgspec.Struct, frozen=True):
    epoch: str
    seq: int
    body: bytes
    code: Code | None = None
    """The code that is in it."""


class Live:
    """Tells sockets of one process. All methods belong to the loop's thread.

    Each store's events are published in the order of their `seq`, without gap or repeat, whichever task or process committed them.
    Nothing is kept of a store that nobody here listens to.
    """

    def __init__(self, storage: Storage, keys: Keys, house: House, tasks: Tasks, clock_ms: Callable[[], int], replay_events: int) -> None:
        self._storage = storage
        self._admission = Admission(storage, keys, clock_ms)
        self._keys = keys
        self._house = house
        self._tasks = tasks
        self._now = clock_ms
        self._replay_events = replay_events
        self._hub: Hub | None = None
        self._next: dict[str, int] = {}
        self._early: dict[str, dict[int, Event]] = {}
        self._filling: set[str] = set()
        self._behind: set[str] = set()
        """Stores that reached further while what they reached before was being read."""
        self._parties: dict[str, set[str]] = {}
        """The topics of single tickets that somebody subscribed to, by store."""
        self._states: dict[str, _State] = {}
        self._reading: dict[str, asyncio.Future[_State]] = {}
        self._codes = ShownCodes(storage, clock_ms)
        self._shows: dict[str, bool] = {}
        """Whether a store's boards show the code."""

    def attach(self, hub: Hub, renew: Callable[[str, int], Awaitable[None]]) -> None:
        """Give it the hub it publishes to, and the use case that shows the next code."""
        self._hub = hub
        self._codes.renew = renew

    @property
    def hub(self) -> Hub:
        assert self._hub is not None, "attach comes first"
        return self._hub

    # ---- who comes

    async def authenticate(self, token: str) -> Granted:
        """What the holder of a token may hear. Raises: NotSignedIn, StoreNotFound."""
        return await self._admission.authenticate(token)

    async def subscribe(
        self, granted: Granted, topic: str, since: tuple[str, int] | None, sink: Sink, reply: Callable[[bytes], bytes], base: str
    ) -> None:
        """Subscribe a socket: it is sent `reply(body)`, body being a whole state or every missed event, and then all that follows.

        Raises:
            NotAllowed: the socket may not hear this topic.
            StoreClosed: the store is purged.
            StoreNotFound
        """
        if granted.kind == "owner":
            self._house.reached(base)
        store_id = await self._admission.admit(granted, topic)
        subscription = self.hub.subscribe(topic, sink)
        if topic.startswith("ticket/"):
            self._parties.setdefault(store_id, set()).add(topic)
        try:
            body = await self._missed(topic, store_id, *since) if since else None
            if body is None:
                state = await self._state(topic)
                body = events.snapshot(topic, state.epoch, state.seq, state.body)
        except BaseException:
            self.hub.unsubscribe(topic, sink)
            raise
        subscription.start(text_frame(reply(body)))

    def unsubscribe(self, topic: str, sink: Sink) -> None:
        self.hub.unsubscribe(topic, sink)

    def drop(self, sink: Sink) -> None:
        self.hub.drop(sink)

    # ---- whole states and missed events

    async def _missed(self, topic: str, store_id: str, epoch: str, seq: int) -> bytes | None:
        if topic.startswith("ticket/"):
            return None
        if not topic.endswith("/public"):
            await self._codes.refresh(store_id)
        found = await self._storage.read(snapshots.since, store_id, epoch, seq, self._replay_events)
        if found.events is None:
            return None
        self._begin(store_id, found.seq)
        self._shows[store_id] = found.board_code
        last_code = max((event.seq for event in found.events if event.kind == "code"), default=0)
        pushes = [events.push(topic, event.seq, event.at_ms, self._body(topic, event, event.seq == last_code)) for event in found.events]
        return events.replay(topic, found.epoch, found.seq, pushes)

    async def _state(self, topic: str) -> _State:
        """A topic's whole state, at least as new as everything published so far. Read once for all who ask at the same time."""
        store_id = topic.split("/")[1]
        need = self._next.get(store_id, 1) - 1
        known = self._states.get(topic)
        if known and known.seq >= need and not self._codes.ends_soon(known.code):
            return known
        while True:
            reading = self._reading.get(topic)
            # One that has ended, and is not yet taken away, was begun too early for who asks now.
            if reading is None or reading.done():
                reading = self._reading[topic] = self._tasks.run(self._read(topic, store_id))
                reading.add_done_callback(lambda done: self._read_ended(topic, done))
            state = await asyncio.shield(reading)
            if state.seq >= need:
                return state

    def _read_ended(self, topic: str, reading: asyncio.Future[_State]) -> None:
        if self._reading.get(topic) is reading:
            del self._reading[topic]

    async def _read(self, topic: str, store_id: str) -> _State:
        kind, _, audience = topic.partition(f"/{store_id}/")
        if kind == "ticket":
            own = await self._storage.read(snapshots.own, store_id, int(audience))
            self._begin(store_id, own.store.seq)
            return _State(own.store.epoch, own.store.seq, _encode(own_view(own)))
        make = snapshots.owner if audience == "owner" else snapshots.public
        whole = await self._storage.read(make, store_id)
        if audience != "public" and whole.code and self._codes.ends_soon(whole.code):
            await self._codes.refresh(store_id)
            whole = await self._storage.read(make, store_id)
        if whole.store.state is StoreState.PURGED:
            raise StoreClosed
        if whole.code:
            self._codes.show(store_id, whole.code)
        seq = whole.store.seq
        self._begin(store_id, seq)
        code = None if audience == "public" else whole.code
        state = self._states[topic] = _State(whole.store.epoch, seq, self._encoded(whole, audience), code)
        return state

    def _encoded(self, whole: Whole, audience: str) -> bytes:
        base = self._house.base
        if audience == "owner":
            return _encode(owner_snapshot(whole, self._keys, base))
        self._shows[whole.store.id] = whole.store.board_code
        shows = audience == "board" and whole.store.board_code
        code = self._code(whole.store.id, whole.code) if shows and whole.code else None
        return _encode(public_snapshot(whole, code))

    async def snapshot(self, topic: str) -> bytes:
        """The push that stands for everything a slow reader did not take."""
        state = await self._state(topic)
        return events.snapshot(topic, state.epoch, state.seq, state.body, conflated=True)

    # ---- what happens

    def tell(self, told: tuple[Event, ...]) -> None:
        """Publish committed events."""
        for event in told:
            store_id = event.store_id
            topics = self._topics(store_id)
            if not any(map(self.hub.subscribers, topics)):
                if store_id in self._next or store_id in self._early or self._reading:
                    self._forget(store_id, topics)
                continue
            # While a store's state is read for those who came first, nobody knows yet which event is the next.
            expected = self._next.get(store_id)
            if event.seq == expected:
                self._publish(event)
                self._publish_early(store_id)
            elif expected is None or event.seq > expected:
                self._early.setdefault(store_id, {})[event.seq] = event
                asyncio.get_running_loop().call_later(_GAP_S, self._fill_gap, store_id)

    def reached(self, store_id: str, seq: int) -> None:
        """Another process committed up to `seq`: read it, if anybody here listens."""
        if self._next.get(store_id, 0) > seq:
            return
        if self._listened(store_id):
            self._start_filling(store_id)
        else:
            self._forget(store_id)

    def catch_up(self) -> None:
        """Something may have been missed from other processes: read every store that somebody here listens to."""
        for store_id in list(self._next):
            if self._listened(store_id):
                self._start_filling(store_id)
            else:
                self._forget(store_id)

    def end(self, store_id: str) -> None:
        """The store's data is deleted: its sockets are told, and closed."""
        closed = StoreClosed()
        for topic in self._topics(store_id):
            self.hub.close_topic(topic, closed.close_code or 4410, closed.message)
        self._forget(store_id)

    def _forget(self, store_id: str, topics: Sequence[str] = ()) -> None:
        for topic in topics or self._topics(store_id):
            self._states.pop(topic, None)
            # What is being read now may be too old for who comes next, for from now on nobody counts.
            self._reading.pop(topic, None)
        self._next.pop(store_id, None)
        self._early.pop(store_id, None)
        self._codes.forget(store_id)
        self._shows.pop(store_id, None)
        self._parties.pop(store_id, None)
        self._behind.discard(store_id)

    def _topics(self, store_id: str) -> tuple[str, ...]:
        parties = self._parties.get(store_id)
        return (*_topics_of(store_id), *parties) if parties else _topics_of(store_id)

    def _listened(self, store_id: str) -> bool:
        return any(map(self.hub.subscribers, self._topics(store_id)))

    def _begin(self, store_id: str, seq: int) -> None:
        """A store was read as it was at `seq`. If that is the first that is known of it, what follows is published."""
        if store_id in self._next:
            return
        self._next[store_id] = seq + 1
        early = self._early.pop(store_id, {})
        self.tell(tuple(early[each] for each in sorted(early)))
        if store_id in self._behind:
            self._start_filling(store_id)

    def _publish_early(self, store_id: str) -> None:
        early = self._early.get(store_id)
        while early and (event := early.pop(self._next[store_id], None)):
            self._publish(event)
        if early is not None and not early:
            del self._early[store_id]

    def _fill_gap(self, store_id: str) -> None:
        if self._early.get(store_id) and store_id in self._next:
            self._start_filling(store_id)

    def _start_filling(self, store_id: str) -> None:
        if store_id in self._filling or store_id not in self._next:
            self._behind.add(store_id)
        else:
            self._filling.add(store_id)
            self._tasks.start("filling a gap", self._fill(store_id))

    async def _fill(self, store_id: str) -> None:
        try:
            while store_id in self._next:
                self._behind.discard(store_id)
                try:
                    whole = await self._fill_some(store_id)
                except StoreNotFound:
                    self.end(store_id)
                    return
                except NowServingError as error:
                    _log.warning("Missing events of store %s are read in a moment: %s", store_id, error.message)
                    await asyncio.sleep(_AGAIN_S)
                    continue
                if whole and not self._early.get(store_id) and store_id not in self._behind:
                    return
        finally:
            self._filling.discard(store_id)

    async def _fill_some(self, store_id: str) -> bool:
        """Read and publish what is missing, up to some number; whether that was all."""
        early = min(self._early.get(store_id, ()), default=0)
        found = await self._storage.read(snapshots.after, store_id, self._next[store_id] - 1, _FILL)
        if found:
            self._pass_over(store_id, found[0].seq)
            self.tell(tuple(found))
            return len(found) < _FILL
        if (await self._storage.read(stores.one, store_id)).state is StoreState.PURGED:
            self.end(store_id)
        elif early:
            self._pass_over(store_id, early)
        return True

    def _pass_over(self, store_id: str, seq: int) -> None:
        """Earlier rows are gone, as of a store that is being deleted. Clients see the gap, and ask for the state."""
        if self._next.get(store_id, seq) < seq:
            self._next[store_id] = seq
            self._publish_early(store_id)

    def _publish(self, event: Event) -> None:
        store_id = event.store_id
        self._next[store_id] = event.seq + 1
        if event.kind == "code":
            self._codes.show(store_id, _code_of(event))
        for audience in _AUDIENCES:
            topic = f"store/{store_id}/{audience}"
            if self.hub.subscribers(topic):
                self.hub.publish(topic, events.push(topic, event.seq, event.at_ms, self._body(topic, event, True)))
        if event.kind == "ticket" and event.public != events.TICK:  # what only the owner sees is not the party's either
            self._publish_own(event)
        elif event.kind == "store":
            store = msgspec.json.decode(event.owner)["store"]
            if store["state"] != StoreState.OPEN:
                self._codes.forget(store_id)
            if store["state"] != StoreState.OPEN:
                # They come back now and then, and show the next store once it is open.
                closed = StoreClosed()
                self.hub.close_topic(f"store/{store_id}/board", closed.close_code or 4410, closed.message)
            elif store["board_code"] != self._shows.get(store_id, store["board_code"]):
                # Boards come back at once, and are told then whether they have a code to show.
                self.hub.close_topic(f"store/{store_id}/board", Dropped.close_code or 4000, "Settings have changed.")
            self._shows[store_id] = store["board_code"]

    def _body(self, topic: str, event: Event, current: bool) -> str:
        """An event as a topic's readers see it. A code that is not on show any more is left out."""
        if event.kind == "code" and not topic.endswith("/public"):
            if not current or (topic.endswith("/board") and not self._shows.get(event.store_id)):
                return events.TICK
            return _encode({"change": "code_shown", "code": self._code(event.store_id, _code_of(event))}).decode()
        return event.owner if topic.endswith("/owner") else event.public

    def _code(self, store_id: str, code: Code) -> CodeView:
        return code_view(store_id, code, self._keys, self._house.base)

    def _publish_own(self, event: Event) -> None:
        ticket = msgspec.json.decode(event.public).get("ticket")
        if ticket is None:  # only the staff are told how a notification went
            return
        topic = f"ticket/{event.store_id}/{ticket['id']}"
        if self.hub.subscribers(topic):
            self._tasks.start("telling a party", self._tell_party(topic, event))

    async def _tell_party(self, topic: str, event: Event) -> None:
        state = await self._state(topic)
        body = b'{"own":' + state.body + b"}"
        self.hub.publish(topic, events.push(topic, state.seq, event.at_ms, body))

    # ---- codes that stay on show

    async def keep_codes_fresh(self, every_s: float) -> None:
        """Replace codes that are on somebody's screen before they expire, and forget stores that nobody looks at. Runs until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            for store_id in {*self._next, *self._early, *self._codes, *self._parties}:
                if not self._listened(store_id):
                    self._forget(store_id)
                elif self.hub.subscribers(f"store/{store_id}/owner") or self.hub.subscribers(f"store/{store_id}/board"):
                    try:
                        if self._codes.ends_soon(self._codes.get(store_id)):
                            await self._codes.refresh(store_id)
                    except NowServingError as error:
                        _log.warning("The code of store %s could not be renewed: %s", store_id, error.message)


@lru_cache(maxsize=1024)
def _topics_of(store_id: str) -> tuple[str, ...]:
    return tuple(f"store/{store_id}/{audience}" for audience in _AUDIENCES)


def _code_of(event: Event) -> Code:
    shown = msgspec.json.decode(event.owner)["code"]
    return Code(shown["number"], shown["expires_ms"])
