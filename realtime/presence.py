"""Presence: how many phones and boards look at a store and whose page is open, told to its owner's screens once it has settled."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from realtime.broker.contract import MOST_NOTE_BYTES
from realtime.hub import Hub
from realtime.totals import Totals

NOTE = "presence"
"""The kind of the notes in which processes tell each other what they count."""
SETTLE_S = 1.5
"""The least time between two words to a store's screens; the first change after a quiet time is told at once."""
TELL_S = 0.25
"""The least time between two words of this process to the others about a store."""
AGAIN_S = 25.0
"""How often the others are told what has not changed, so that they can forget a process that was killed."""
KEEP_S = 60.0
LOOK_S = 5.0
"""How often it is looked for what is to be told again, and what is too old."""
MOST_OPEN = 500
"""Pages that are named one by one, of a store: those that joined last. The others are only counted."""
MOST_HEARD = 20_000
"""Stores of other processes that are remembered."""
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


class Word(Struct, frozen=True, array_like=True):
    """A note: what one process counts of some stores. One without stores says that it has come."""

    process: str
    stores: dict[str, Present] = {}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Word).decode


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

    __slots__ = ("due", "pages", "settling", "shown", "told")

    def __init__(self) -> None:
        self.pages: set[int] = set()
        self.due = float("-inf")
        """When its screens may be told again; the loop's time."""
        self.settling = False
        self.shown: Present | None = None
        """What its screens here were told last; None where one of them was not told yet."""
        self.told: tuple[Present, float] | None = None
        """What the other processes were told last, and when."""


class Presence:
    """Counts what the hub of this process holds, and adds what other processes count. All methods belong to the loop's thread.

    Whoever only asks now and then (`GET /v1/live`) is not counted.

    Args:
        tell: passes a note on to the other processes: its kind, its body. None where there are none.
        clock: seconds that only go forward.
    """

    def __init__(self, hub: Hub, tell: Callable[[str, bytes], None] | None, clock: Callable[[], float]) -> None:
        self._hub = hub
        self._tell = tell
        self._clock = clock
        self._process = secrets.token_hex(4)
        self._stores: dict[str, _Store] = {}
        self._others: Totals[Present] = Totals(KEEP_S, MOST_HEARD)
        self._known: dict[str, float] = {}
        """Other processes, and when each was heard last."""
        self._untold: dict[str, None] = {}

    def changed(self, topic: str) -> None:
        """Somebody came to a topic, or went."""
        kind, _, rest = topic.partition("/")
        store_id, _, what = rest.partition("/")
        store = self._stores.get(store_id)
        if store is None:
            store = self._stores[store_id] = _Store()
        if kind == "ticket":
            (store.pages.add if self._hub.listeners(topic) else store.pages.discard)(int(what))
        elif what == _OWNER:
            store.shown = None
        if self._tell:
            self._untold[store_id] = None
        self._settle(store_id, store)

    def hear(self, body: bytes) -> None:
        """What another process told."""
        try:
            word = _decode(body)
        except msgspec.MsgspecError:  # of another version of this program, as while a new one is rolled out
            return
        now = self._clock()
        if word.process not in self._known:  # it has not heard yet what is counted here
            self._untold.update(dict.fromkeys(self._stores))
            for store in self._stores.values():
                if store.told:
                    store.told = (store.told[0], float("-inf"))
        self._known[word.process] = now
        for store_id, present in word.stores.items():
            if present == NOBODY:
                news = self._others.take_back(word.process, store_id)
            else:
                news = self._others.hear(word.process, store_id, present, now)
            if news:
                self._news(store_id)

    async def run(self) -> None:
        """Tell the other processes, and forget those that are gone. Runs until cancelled; of no use where there is no other process."""
        self._say({})
        looked = self._clock()
        while True:
            await asyncio.sleep(TELL_S)
            now = self._clock()
            if now - looked >= LOOK_S:
                looked = now
                self._look(now)
            self.tell_others(now)

    def tell_others(self, now: float) -> None:
        """Tell what has changed since it was told last, or was told too long ago."""
        untold, self._untold = self._untold, {}
        stores: dict[str, Present] = {}
        room = most = MOST_NOTE_BYTES - 32
        for store_id in untold:
            present, store = self._own(store_id), self._stores.get(store_id)
            told = store.told if store else None
            if (told is None and present == NOBODY) or (told is not None and told[0] == present and now - told[1] < AGAIN_S - LOOK_S):
                self._forget(store_id)
                continue
            if store is not None:
                store.told = (present, now) if present != NOBODY else None
            size = len(_encode({store_id: present}))
            if stores and size > room:
                self._say(stores)
                stores, room = {}, most
            stores[store_id] = present
            room -= size
            self._forget(store_id)
        if stores:
            self._say(stores)

    def total(self, store_id: str) -> Present:
        """Who looks at a store, in all processes as far as is known."""
        return together((self._own(store_id), *self._others.of(store_id)))

    def __len__(self) -> int:
        """Stores that somebody looks at here."""
        return len(self._stores)

    def _say(self, stores: dict[str, Present]) -> None:
        if self._tell:
            self._tell(NOTE, _encode(Word(self._process, stores)))

    # ---- counting

    def _own(self, store_id: str) -> Present:
        store, listeners = self._stores.get(store_id), self._hub.listeners
        if store is None:
            return NOBODY
        public, boards, owners = (listeners(f"store/{store_id}/{audience}") for audience in (_PUBLIC, _BOARD, _OWNER))
        return Present(public, boards, owners, *named(store.pages))

    def _look(self, now: float) -> None:
        for store_id in self._others.expire(now):
            self._news(store_id)
        self._known = {process: heard for process, heard in self._known.items() if heard + KEEP_S > now}
        for store_id, store in self._stores.items():
            if store.told and now - store.told[1] >= AGAIN_S - LOOK_S:
                self._untold[store_id] = None

    def _forget(self, store_id: str) -> None:
        """Keeps nothing of a store that nobody looks at and nobody is to be told of."""
        store = self._stores.get(store_id)
        if store is None or store.settling or store.told or store.pages or store_id in self._untold:
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
        # Not before the next turn: whoever asks now and then comes and goes in this one.
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
