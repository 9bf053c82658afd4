"""Presence: how many phones and boards look at a store and whose page is open, told to its owner's screens once it has settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from realtime.askers import Askers
from realtime.hub import Hub
from realtime.tally import Tally

NOTE = "presence"
"""The kind of the notes in which processes tell each other what they count."""
SETTLE_S = 1.5
"""The least time between two words to a store's screens; the first change after a quiet time is told at once."""
LEAST_WAIT_S = 0.5
"""The least time between two looks for who has not asked any more."""
LOOK_S = 0.25
"""The least time between two looks whether there is something to say."""
MOST_OPEN = 500
"""Pages that are named one by one, of a store: those that joined last. The others are only counted."""
MOST_ASKING = 100
"""Askers that are told one by one, of a store: those that asked last. The others are counted by each process that they asked."""
_TICKET, _OWNER, _PUBLIC, _BOARD = "ticket", "owner", "public", "board"


Count = Annotated[int, Meta(ge=0, le=2**40)]
"""No process counts more, whatever it tells."""


class Present(Struct, frozen=True, array_like=True):
    """Who looks at one store."""

    public: Count = 0
    """Phones, and whatever else follows the line."""
    boards: Count = 0
    owners: Count = 0
    open: tuple[Count, ...] = ()
    """Tickets whose page is open, in their order."""
    all: bool = True
    """Whether those are all of them."""
    asking: tuple[str, ...] = ()
    """Who only asks again and again, by marks; each is one, whichever processes it asked. They are in none of the other figures."""


NOBODY = Present()


def together(counted: Iterable[Present]) -> Present:
    """What several processes count, added up."""
    public = boards = owners = 0
    pages: set[int] = set()
    asking: set[str] = set()
    every = True
    for each in counted:
        public += each.public
        boards += each.boards
        owners += each.owners
        pages.update(each.open)
        asking.update(each.asking)
        every = every and each.all
    listening = {f"{_PUBLIC[0]}{page}" for page in pages} if asking else set()
    for mark in asking:
        public += mark[:1] == _PUBLIC[0] and mark not in listening  # a page that asked a moment ago, and has its socket now
        boards += mark[:1] == _BOARD[0]
        owners += mark[:1] == _OWNER[0]
    pages.update(int(mark[1:]) for mark in asking if mark[:1] == _TICKET[0] and mark[1:].isdecimal())
    return Present(public, boards, owners, *named(pages, every=every))


def named(pages: set[int], *, every: bool = True) -> tuple[tuple[int, ...], bool]:
    """Those that are named, and whether they are all; `every`: nobody was left out before."""
    return tuple(sorted(pages)[-MOST_OPEN:]), every and len(pages) <= MOST_OPEN


_TOLD = ("public", "boards", "owners", "open", "all")


def push(store_id: str, total: Present) -> bytes:
    """The JSON text for the owner's screens. It has no `seq`: it is no change of the store, and nobody can miss it for long."""
    body = {"topic": f"store/{store_id}/{_OWNER}", **{name: getattr(total, name) for name in _TOLD}}
    return msgspec.json.encode({"presence": body})


class _Store:
    """What this process knows of the presence at one store."""

    __slots__ = ("askers", "due", "pages", "settling", "shown", "waits")

    def __init__(self) -> None:
        self.pages: set[int] = set()
        self.askers = Askers()
        self.waits = False
        """It is waited for the first of those to be over."""
        self.due = float("-inf")
        """When its screens may be told again; the loop's time."""
        self.settling = False
        self.shown: Present | None = None
        """What its screens here were told last; None where one of them was not told yet."""


class Presence:
    """Counts what the hub of this process holds and who asks it again and again, and adds what other processes count. All methods belong
    to the loop's thread.

    Args:
        tell: passes a note on to the other processes: its kind, its body. None where there are none.
        clock: seconds that only go forward.
        now_ms: the time of day.
        mark: stands for an address where it is told.
    """

    def __init__(
        self,
        hub: Hub,
        tell: Callable[[str, bytes], None] | None,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        mark: Callable[[str], str] = str,
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._mark = mark
        self._stores: dict[str, _Store] = {}
        self.tally = Tally(NOTE, Present, NOBODY, self._own, tell, clock, now_ms, self._news) if tell else None
        """What is told to the other processes, and heard of them; None where there are none."""

    def changed(self, topic: str) -> None:
        """Somebody came to a topic, or went."""
        kind, store_id, what = _parts(topic)
        store = self._store(store_id)
        if kind == _TICKET:
            (store.pages.add if self._hub.listeners(topic) else store.pages.discard)(int(what))
        elif what == _OWNER:
            store.shown = None
        self._changed(store_id, store)

    def asked(self, topic: str, ticket: int, address: str) -> None:
        """Somebody asked where a topic stands, and will ask again: for a ticket or, where that is 0, at an address."""
        kind, store_id, what = _parts(topic)
        store = self._store(store_id)
        letter = _TICKET[0] if kind == _TICKET else what[0]
        if store.askers.ask(f"{letter}{ticket}" if ticket else f"{letter}~{self._mark(address)}", self._clock()):
            self._changed(store_id, store)
        self._wait(store_id, store)

    def look(self, store_id: str) -> None:
        """Find who asks about a store no more."""
        store = self._stores.get(store_id)
        if store is not None and store.askers.over(self._clock()):
            self._changed(store_id, store)

    def total(self, store_id: str) -> Present:
        """Who looks at a store, in all processes as far as is known."""
        return together((self._own(store_id), *(self.tally.of(store_id) if self.tally else ())))

    def __len__(self) -> int:
        """Stores that somebody looks at here."""
        return len(self._stores)

    # ---- counting

    def _store(self, store_id: str) -> _Store:
        store = self._stores.get(store_id)
        if store is None:
            store = self._stores[store_id] = _Store()
        return store

    def _own(self, store_id: str) -> Present:
        store = self._stores.get(store_id)
        if store is None:
            return NOBODY
        asking = store.askers.last(MOST_ASKING)

        def count(audience: str) -> int:
            listening = self._hub.listeners(f"store/{store_id}/{audience}")
            if len(store.askers) == len(asking):
                return listening
            return listening + store.askers.count(audience[0]) - sum(mark[0] == audience[0] for mark in asking)

        return Present(count(_PUBLIC), count(_BOARD), count(_OWNER), *named(store.pages), asking)

    def _changed(self, store_id: str, store: _Store) -> None:
        if self.tally:
            self.tally.changed(store_id)
        self._settle(store_id, store)

    def _wait(self, store_id: str, store: _Store) -> None:
        """One timer for all askers of a store."""
        over = store.askers.next_over()
        if over is not None and not store.waits:
            store.waits = True
            asyncio.get_running_loop().call_later(max(over - self._clock(), LEAST_WAIT_S), self._look_again, store_id, store)

    def _look_again(self, store_id: str, store: _Store) -> None:
        store.waits = False
        self.look(store_id)
        self._wait(store_id, store)

    def _forget(self, store_id: str) -> None:
        """Keeps nothing of a store that nobody looks at and nobody is to be told of."""
        store = self._stores.get(store_id)
        if store is None or store.settling or store.pages or len(store.askers):
            return
        if self._own(store_id) == NOBODY:
            del self._stores[store_id]

    # ---- the screens here

    def _news(self, store_id: str) -> None:
        if store := self._stores.get(store_id):
            self._settle(store_id, store)

    def _settle(self, store_id: str, store: _Store) -> None:
        if store.settling:
            return
        store.settling = True
        loop = asyncio.get_running_loop()
        # Not before the next turn: whoever comes and goes at once does so in this one.
        loop.call_at(max(loop.time(), store.due), self._show, store_id, store)

    def _show(self, store_id: str, store: _Store) -> None:
        store.settling = False
        topic = f"store/{store_id}/{_OWNER}"
        if self._hub.listeners(topic):
            total, now = self.total(store_id), asyncio.get_running_loop().time()
            store.due = now + LOOK_S
            if total != store.shown:
                store.shown = total
                store.due = now + SETTLE_S
                self._hub.publish(topic, push(store_id, total))
        self._forget(store_id)


def _parts(topic: str) -> tuple[str, str, str]:
    kind, _, rest = topic.partition("/")
    store_id, _, what = rest.partition("/")
    return kind, store_id, what
