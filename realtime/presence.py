"""Presence: how many phones and boards look at a store and whose page is open, told to its owner's screens once it has settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from realtime.askers import Askers
from realtime.hub import Hub
from realtime.tally import Tally

NOTE = "presence"
"""The kind of the notes in which processes tell each other what they count."""
SETTLE_S = 1.5
"""The least time between two words to a store's screens; the first change after a quiet time is told at once."""
LEAST_WAIT_S = 0.5
"""The least time between two looks for who has not asked any more."""
MOST_OPEN = 500
"""Pages that are named one by one, of a store: those that joined last. The others are only counted."""
_OWNER, _PUBLIC, _BOARD = "owner", "public", "board"


class Present(Struct, frozen=True, array_like=True):
    """Who looks at one store."""

    public: int = 0
    """Phones, and whatever else follows the line."""
    boards: int = 0
    owners: int = 0
    open: tuple[int, ...] = ()
    """Tickets whose page is open, in their order."""
    all: bool = True
    """Whether those are all of them."""


NOBODY = Present()


def together(counted: Iterable[Present]) -> Present:
    """What several processes count, added up."""
    public = boards = owners = 0
    pages: set[int] = set()
    every = True
    for each in counted:
        public += each.public
        boards += each.boards
        owners += each.owners
        pages.update(each.open)
        every = every and each.all
    return Present(public, boards, owners, *named(pages, every=every))


def named(pages: set[int], *, every: bool = True) -> tuple[tuple[int, ...], bool]:
    """Those that are named, and whether they are all; `every`: nobody was left out before."""
    return tuple(sorted(pages)[-MOST_OPEN:]), every and len(pages) <= MOST_OPEN


def push(store_id: str, total: Present) -> bytes:
    """The JSON text for the owner's screens. It has no `seq`: it is no change of the store, and nobody can miss it for long."""
    body = {"topic": f"store/{store_id}/{_OWNER}", **msgspec.structs.asdict(total)}
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
    """

    def __init__(self, hub: Hub, tell: Callable[[str, bytes], None] | None, clock: Callable[[], float]) -> None:
        self._hub = hub
        self._clock = clock
        self._stores: dict[str, _Store] = {}
        self.tally = Tally(NOTE, Present, NOBODY, self._own, tell, clock, self._news) if tell else None
        """What is told to the other processes, and heard of them; None where there are none."""

    def changed(self, topic: str) -> None:
        """Somebody came to a topic, or went."""
        kind, store_id, what = _parts(topic)
        store = self._store(store_id)
        if kind == "ticket":
            (store.pages.add if self._hub.listeners(topic) else store.pages.discard)(int(what))
        elif what == _OWNER:
            store.shown = None
        self._changed(store_id, store)

    def asked(self, topic: str, who: str) -> None:
        """Somebody asked where a topic stands, and will ask again. `who` tells askers apart; a ticket's page is there once, whoever asks."""
        kind, store_id, what = _parts(topic)
        store, now = self._store(store_id), self._clock()
        if store.askers.ask(f"{kind}/{what}", "" if kind == "ticket" else who, now):
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

        def count(audience: str) -> int:
            return self._hub.listeners(f"store/{store_id}/{audience}") + store.askers.count(f"store/{audience}")

        asked = (int(what.removeprefix("ticket/")) for what in store.askers.what() if what.startswith("ticket/"))
        return Present(count(_PUBLIC), count(_BOARD), count(_OWNER), *named(store.pages.union(asked)))

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
        if store is not None and not store.settling and self._own(store_id) == NOBODY:
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
            total = self.total(store_id)
            if total != store.shown:
                store.shown = total
                store.due = asyncio.get_running_loop().time() + SETTLE_S
                self._hub.publish(topic, push(store_id, total))
        self._forget(store_id)


def _parts(topic: str) -> tuple[str, str, str]:
    kind, _, rest = topic.partition("/")
    store_id, _, what = rest.partition("/")
    return kind, store_id, what
