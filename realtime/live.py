"""What goes to sockets: who may hear what, whole states and missed events for those who come, and every commit in its order for those who stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from realtime import events, positions
from realtime.admission import Admission
from realtime.admission import Granted as Granted
from realtime.clerk import Tasks
from realtime.counts import Counts
from realtime.errors import Dropped, NowServingError, StoreClosed, StoreNotFound
from realtime.followed import AUDIENCES, Followed
from realtime.frames import text_frame
from realtime.house import House
from realtime.hub import Hub, Sink
from realtime.keys import Keys
from realtime.model import Event, StoreState
from realtime.operations import snapshots, stores
from realtime.pasts import Pasts
from realtime.positions import Found, Looks
from realtime.shown_codes import ShownCodes
from realtime.states import States
from realtime.storage.statement import Storage

_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("nowserving.live")

_GAP_S = 0.05
"""How long a commit may wait for the one before it, which another task is about to tell; then it is read from the event rows."""
_FILL = 500
_AGAIN_S = 1.0
"""How long a database that failed is left alone before missing events are asked for again."""
_MOST_EARLY = 1000
"""Events that wait for one that is missing; more than that are read again."""
_TOLD_AT_ONCE = 50
"""Of many events that were read, before the loop's other work gets its turn."""


class Live:
    """Tells sockets of one process. All methods belong to the loop's thread.

    Each store's events are published in the order of their `seq`, without gap or repeat, whichever task or process committed them.
    Nothing is kept of a store that nobody here listens to, once that has been so for a moment.
    """

    def __init__(self, storage: Storage, keys: Keys, house: House, tasks: Tasks, clock_ms: Callable[[], int], replay_events: int) -> None:
        self._storage = storage
        self._admission = Admission(storage, keys, tasks, clock_ms)
        self._house = house
        self._tasks = tasks
        self._replay_events = replay_events
        self.counts = Counts()
        self._hub: Hub | None = None
        self._followed: dict[str, Followed] = {}
        self._codes = ShownCodes(storage, clock_ms)
        self._states = States(storage, keys, house, tasks, self._codes, self._began, self.counts)
        self._looks = Looks(tasks, self.check_positions)
        self._pasts = Pasts(storage, tasks, self._restart, self._looks.ask)

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
        store_id = await self._admission.admit(granted, topic, self._is_known)
        if (followed := self._followed.get(store_id)) is None:
            followed = self._followed[store_id] = Followed(store_id, self._replay_events)
        followed.alone = False
        subscription = self.hub.subscribe(topic, sink)
        if topic.startswith("ticket/"):
            followed.parties.add(topic)
        try:
            missed = await self._missed(topic, followed, *since) if since else None
            if since and missed is None and not topic.startswith("ticket/"):
                self.counts.recoveries["snapshot"] += 1
            first, mark = (text_frame(reply(missed[0])), missed[1]) if missed else await self._whole(topic, followed, reply, since)
        except BaseException:
            self.hub.unsubscribe(topic, sink)
            raise
        subscription.start(first, mark)
        if since and granted.kind == "owner":  # of a board whoever has its link says how far it came
            self._pasts.heard(followed, *since, mark)

    def unsubscribe(self, topic: str, sink: Sink) -> None:
        self.hub.unsubscribe(topic, sink)

    def drop(self, sink: Sink) -> None:
        self.hub.drop(sink)

    # ---- whole states and missed events

    async def _missed(self, topic: str, followed: Followed, epoch: str, seq: int) -> tuple[bytes, int] | None:
        """Every event since, in order, and the last one's `seq`; None where not all can be given. From memory, if it reaches back that far."""
        if topic.startswith("ticket/"):
            return None
        if not topic.endswith("/public"):
            await self._codes.refresh(followed.store_id)
        if not followed.next:
            await self._read_tail(followed)
        if epoch != followed.epoch or not 0 <= followed.reached - seq <= self._replay_events:
            return None
        found = followed.ring.since(seq) if seq < followed.reached else []
        if found is not None:
            self.counts.recoveries["ring"] += 1
            return events.replay(topic, epoch, followed.reached, self._pushes(topic, found)), followed.reached
        starts, before = followed.starts, followed.told
        read = await self._storage.read(snapshots.since, followed.store_id, epoch, seq, self._replay_events)
        self._began(followed, read.epoch, read.seq, before)
        if read.events is None or followed.starts != starts:
            return None
        self.counts.recoveries["rows"] += 1
        return events.replay(topic, epoch, read.seq, self._pushes(topic, read.events)), read.seq

    def _pushes(self, topic: str, told: list[Event]) -> list[bytes]:
        last_code = max((event.seq for event in told if event.kind == "code"), default=0)
        return [events.push(topic, event.seq, event.at_ms, self._body(topic, event, event.seq == last_code)) for event in told]

    async def _read_tail(self, followed: Followed) -> None:
        """Fill the ring of a store that was not followed before: once for all who come back after a restart."""
        tailing = followed.tailing
        if tailing is None or tailing.done():
            tailing = followed.tailing = self._tasks.run(self._tail(followed))
        await asyncio.shield(tailing)

    async def _tail(self, followed: Followed) -> None:
        before = followed.told
        found = await self._storage.read(snapshots.tail, followed.store_id, self._replay_events)
        followed.shows = found.board_code
        if not followed.next:
            followed.ring.extend(found.events)
        self._began(followed, found.epoch, found.seq, before)

    async def _whole(
        self, topic: str, followed: Followed, reply: Callable[[bytes], bytes], since: tuple[str, int] | None, *, conflated: bool = False
    ) -> tuple[bytes, int]:
        """The frames of a topic's whole state, as new as everything published so far, and its `seq`; in two steps where nothing was seen yet."""
        kind, _, audience = topic.partition(f"/{followed.store_id}/")
        need = followed.reached
        # Another process told more than is known here.
        ahead = since is not None and since[0] == followed.epoch and since[1] > need
        if kind == "ticket":
            epoch, seq, own = await self._states.own(followed, int(audience), need, known=not ahead)
            return text_frame(reply(events.snapshot(topic, epoch, seq, own, conflated=conflated))), seq
        if ahead:
            seen = await self._states.anew(followed)
        else:
            seen = (None if since or conflated else self._states.fresh(followed)) or await self._states.seen(followed, need)
        if audience != "public" and self._codes.ends_soon(seen.everything.code):
            await self._codes.refresh(followed.store_id)
            need = max(need, followed.reached)
            seen = await self._states.seen(followed, need)
        body = self._states.body(seen, audience)
        first = text_frame(reply(events.snapshot(topic, seen.epoch, seen.seq, body, conflated=conflated)))
        after = [event for event in followed.ring.since(seen.seq) or () if event.seq <= need] if seen.seq < need else []
        return b"".join((first, *map(text_frame, self._pushes(topic, after)))), (after[-1] if after else seen).seq

    async def snapshot(self, topic: str) -> tuple[bytes, int]:
        """The frames that stand for everything a slow reader did not take, and how far they bring it."""
        if (followed := self._followed.get(topic.split("/")[1])) is None:
            raise StoreClosed
        return await self._whole(topic, followed, lambda body: body, None, conflated=True)

    # ---- what happens

    def tell(self, told: tuple[Event, ...]) -> None:
        """Publish committed events."""
        for event in told:
            if (followed := self._followed.get(event.store_id)) is None:
                continue
            if event.seq == followed.next:
                self._publish(followed, event)
                self._publish_early(followed)
            elif event.seq < followed.next:
                self._pasts.told_again(followed, event)
            else:
                # While a store is read for those who came first, nobody knows yet which event is the next.
                if len(followed.early) < _MOST_EARLY:
                    followed.early[event.seq] = event
                else:
                    followed.behind = True
                asyncio.get_running_loop().call_later(_GAP_S, self._fill_gap, followed)

    def reached(self, store_id: str, seq: int) -> None:
        """Another process committed up to `seq`: read it, if anybody here listens."""
        if (followed := self._followed.get(store_id)) is not None and followed.next <= seq:
            self._start_filling(followed)

    def catch_up(self) -> None:
        """Something may have been missed from other processes: look how far every store is that somebody here listens to."""
        self._looks.ask()

    async def check_positions(self) -> None:
        """Compare how far each followed store was published with how far it is, and read what is missing; see `positions`."""
        for followed, found in await positions.compare(self._storage, self._followed.values()):
            if self._followed.get(followed.store_id) is not followed:
                continue
            self.counts.found[found.value] += 1
            if found is Found.GONE:
                self.end(followed.store_id)
            elif found is Found.BACK:
                self._pasts.went_back(followed)
            else:
                self._start_filling(followed)

    def end(self, store_id: str) -> None:
        """The store's data is deleted: its sockets are told, and closed."""
        if (followed := self._followed.get(store_id)) is not None:
            closed = StoreClosed()
            for topic in followed.topics():
                self.hub.close_topic(topic, closed.close_code or 4410, closed.message)
            self._forget(followed)

    def _restart(self, followed: Followed) -> None:
        """The database went back, as after a restored backup: what was told did not happen. Who comes back gets what did."""
        self._pasts.went_back(followed)
        _log.warning("Store %s is at an earlier state than was told; its screens begin anew", followed.store_id)
        followed.restart()
        self._codes.forget(followed.store_id)
        for topic in followed.topics():
            self.hub.close_topic(topic, Dropped.close_code or 4000, "The store went back to an earlier state.")

    def _forget(self, followed: Followed) -> None:
        if self._followed.get(followed.store_id) is followed:
            del self._followed[followed.store_id]
        followed.restart()  # for those who still wait for something of it
        self._codes.forget(followed.store_id)

    def _is_known(self, store_id: str) -> bool:
        """Whether the store is there, as far as a process knows that hears of every change."""
        followed = self._followed.get(store_id)
        return followed is not None and followed.next > 0

    def _began(self, followed: Followed, epoch: str, seq: int, before: int) -> None:
        """A store was read as it was at `seq`; `before` is how far it was told when the read began. What follows the first read is published."""
        if followed.next and (epoch != followed.epoch or seq < before):
            self._restart(followed)
        if followed.next:
            return
        followed.let_go([each for each in followed.early if seq < each <= before])  # of a past that was lost
        followed.start(epoch, seq)
        early, followed.early = followed.early, {}
        self.tell(tuple(early[each] for each in sorted(early)))
        if followed.behind:
            self._start_filling(followed)

    def _publish_early(self, followed: Followed) -> None:
        while followed.early and (event := followed.early.pop(followed.next, None)):
            self._publish(followed, event)

    def _fill_gap(self, followed: Followed) -> None:
        if followed.next and (followed.early or followed.behind):
            self._start_filling(followed)

    def _start_filling(self, followed: Followed) -> None:
        if followed.filling or not followed.next:
            followed.behind = True
        elif not self.hub.any_subscribe(followed.topics()):
            self._forget(followed)  # whoever comes next has it read anew
        else:
            followed.filling = True
            self._tasks.start("filling a gap", self._fill(followed))

    async def _fill(self, followed: Followed) -> None:
        try:
            while followed.next:
                followed.behind = False
                try:
                    whole = await self._fill_some(followed)
                except StoreNotFound:
                    self.end(followed.store_id)
                    return
                except NowServingError as error:
                    _log.warning("Missing events of store %s are read in a moment: %s", followed.store_id, error.message)
                    await asyncio.sleep(_AGAIN_S)
                    continue
                if whole and not followed.early and not followed.behind:
                    return
        finally:
            followed.filling = False

    async def _fill_some(self, followed: Followed) -> bool:
        """Read and publish what is missing; whether that was all. What was told, and is not there, belongs to a past that was lost."""
        early = frozenset(followed.early)
        found = await self._storage.read(snapshots.after, followed.store_id, followed.reached, _FILL)
        if found:
            followed.let_go(event.seq for event in found)  # the rows are what happened
            self._pass_over(followed, found[0].seq)
            for at in range(0, len(found), _TOLD_AT_ONCE):
                self.tell(tuple(found[at : at + _TOLD_AT_ONCE]))
                await asyncio.sleep(0)
            return len(found) < _FILL
        store = await self._storage.read(stores.one, followed.store_id)
        if store.state is StoreState.PURGED:
            self.end(followed.store_id)
        elif left := followed.let_go(seq for seq in early if seq > store.seq) & early:
            self._pass_over(followed, min(left))
        return True

    def _pass_over(self, followed: Followed, seq: int) -> None:
        """Earlier rows are gone, as of a store that is being deleted. Clients see the gap, and ask for the state."""
        if 0 < followed.next < seq:
            followed.next = seq
            self._publish_early(followed)

    def _publish(self, followed: Followed, event: Event) -> None:
        store_id = event.store_id
        self.counts.published += 1
        followed.next = event.seq + 1
        followed.ring.add(event)
        if event.kind == "code":
            self._codes.show(store_id, events.code_of(event))
        for audience in AUDIENCES:
            topic = f"store/{store_id}/{audience}"
            if self.hub.subscribers(topic):
                self.hub.publish(topic, events.push(topic, event.seq, event.at_ms, self._body(topic, event, True)), event.seq)
        if event.kind == "ticket" and event.public != events.TICK:  # what only the owner sees is not the party's either
            self._publish_own(followed, event)
        elif event.kind == "store":
            followed.seen = None  # a board is not told everything of it, so an older state and what came since would not make the new one
            store = msgspec.json.decode(event.owner)["store"]
            if store["state"] != StoreState.OPEN:
                self._codes.forget(store_id)
                # They come back now and then, and show the next store once it is open.
                closed = StoreClosed()
                self.hub.close_topic(f"store/{store_id}/board", closed.close_code or 4410, closed.message)
            elif followed.shows is not None and store["board_code"] != followed.shows:
                # Boards come back at once, and are told then whether they have a code to show.
                self.hub.close_topic(f"store/{store_id}/board", Dropped.close_code or 4000, "Settings have changed.")
            followed.shows = store["board_code"]

    def _body(self, topic: str, event: Event, current: bool) -> str:
        """An event as a topic's readers see it. A code that is not on show any more is left out."""
        if event.kind == "code" and not topic.endswith("/public"):
            followed = self._followed.get(event.store_id)
            if not current or (topic.endswith("/board") and not (followed and followed.shows)):
                return events.TICK
            return _encode({"change": "code_shown", "code": self._states.code(event.store_id, events.code_of(event))}).decode()
        return event.owner if topic.endswith("/owner") else event.public

    def _publish_own(self, followed: Followed, event: Event) -> None:
        if not followed.parties:
            return
        ticket = msgspec.json.decode(event.public).get("ticket")
        if ticket is None:  # only the staff are told how a notification went
            return
        topic = f"ticket/{event.store_id}/{ticket['id']}"
        if self.hub.subscribers(topic):
            self._tasks.start("telling a party", self._tell_party(topic, followed, ticket["id"], event))

    async def _tell_party(self, topic: str, followed: Followed, ticket_id: int, event: Event) -> None:
        _, seq, own = await self._states.own(followed, ticket_id, event.seq)
        self.hub.publish(topic, events.push(topic, seq, event.at_ms, b'{"own":' + own + b"}"), seq)

    # ---- codes that stay on show

    async def keep_codes_fresh(self, every_s: float) -> None:
        """Replace codes that are on somebody's screen before they expire, and forget stores that nobody looks at. Runs until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            for followed in list(self._followed.values()):
                store_id = followed.store_id
                if not self.hub.any_subscribe(followed.topics()):
                    if followed.alone:
                        self._forget(followed)
                    followed.alone = True
                elif self.hub.subscribers(f"store/{store_id}/owner") or self.hub.subscribers(f"store/{store_id}/board"):
                    try:
                        if self._codes.ends_soon(self._codes.get(store_id)):
                            await self._codes.refresh(store_id)
                    except NowServingError as error:
                        _log.warning("The code of store %s could not be renewed: %s", store_id, error.message)
                followed.parties = {topic for topic in followed.parties if self.hub.subscribers(topic)}
