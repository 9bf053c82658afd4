"""What a process has to tell and has not told yet, within bounds, and the messages it becomes."""

from __future__ import annotations

from collections import deque

import msgspec
from msgspec import Struct

from realtime.broker.contract import check_note
from realtime.model import Event

MOST_KEPT_BYTES = 1 << 20
"""Of events that wait to be told in full. Above that only their `seq` is told."""
MOST_NOTES = 1000
"""That wait; above that the oldest are dropped."""
_AROUND = 128
"""Bytes an event or a note takes beside its texts, and more."""


class Note(Struct, frozen=True):
    kind: str
    body: bytes


class Batch(Struct, frozen=True, omit_defaults=True):
    """One message. `number` counts the messages of `sender`, so that one that is missing or came twice is noticed."""

    sender: str
    number: int
    events: tuple[Event, ...] = ()
    reached: dict[str, int] = {}
    work: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


class News:
    """Gathers what is to be told between two messages: events in their order, of everything else the newest.

    Args:
        sender: this process, as no other is called.
        most_bytes: of one message, as far as can be told before it is encoded.
        in_full: whether events are carried, or only how far their stores are.
    """

    def __init__(self, sender: str, most_bytes: int, *, in_full: bool) -> None:
        self._sender = sender
        self._most_bytes = most_bytes
        self._in_full = in_full
        self._number = 0
        self._events: deque[tuple[Event, int]] = deque()
        self._kept_bytes = 0
        self._reached: dict[str, int] = {}
        self._work: dict[str, None] = {}
        self._notes: deque[Note] = deque(maxlen=MOST_NOTES)

    def add(self, event: Event) -> None:
        size = _size(event.owner) + _size(event.public) + _AROUND
        # The last event of a store, that its data is deleted, is in no row: whoever looks sees it. They are few, so none is carried.
        carried = self._in_full and event.kind != "store"
        if carried and size <= self._most_bytes and self._kept_bytes + size <= MOST_KEPT_BYTES:
            self._events.append((event, size))
            self._kept_bytes += size
        else:
            self._reached[event.store_id] = max(event.seq, self._reached.get(event.store_id, 0))

    def add_work(self, queue: str) -> None:
        self._work[queue] = None

    def add_note(self, kind: str, body: bytes) -> None:
        """Raises: ValueError: it is too long."""
        check_note(kind, body)
        self._notes.append(Note(kind, body))

    def take(self) -> Batch | None:
        """The next message, None when there is nothing to tell. What does not fit waits for the one after it."""
        if not (self._events or self._reached or self._work or self._notes):
            return None
        # Events leave some room, so that in a flood of them the rest is told as well.
        room = self._most_bytes - self._most_bytes // 8
        events: list[Event] = []
        while self._events and (not events or self._events[0][1] <= room):
            event, size = self._events.popleft()
            events.append(event)
            self._kept_bytes -= size
            room -= size
        room += self._most_bytes // 8
        reached: dict[str, int] = {}
        while self._reached and room >= _AROUND:
            store_id = next(iter(self._reached))
            reached[store_id] = self._reached.pop(store_id)
            room -= _name_size(store_id) + 24
        work: list[str] = []
        while self._work and room >= _AROUND:
            queue = next(iter(self._work))
            del self._work[queue]
            work.append(queue)
            room -= _name_size(queue) + 8
        notes: list[Note] = []
        while self._notes and (_note_size(self._notes[0]) <= room or not (events or reached or work or notes)):
            notes.append(self._notes.popleft())
            room -= _note_size(notes[-1])
        self._number += 1
        return Batch(self._sender, self._number, tuple(events), reached, tuple(work), tuple(notes))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _name_size(name: str) -> int:
    """In JSON, with what has to be escaped there; never more in MessagePack."""
    return len(msgspec.json.encode(name))


def _note_size(note: Note) -> int:
    """The same; bytes become base64."""
    return _name_size(note.kind) + len(note.body) * 4 // 3 + _AROUND


def read_json(payload: bytes) -> Batch:
    """Raises: msgspec.MsgspecError: it is no message."""
    return _FROM_JSON.decode(payload)


def read_msgpack(payload: bytes) -> Batch:
    """Raises: msgspec.MsgspecError: it is no message."""
    return _FROM_MSGPACK.decode(payload)


_FROM_JSON = msgspec.json.Decoder(Batch)
_FROM_MSGPACK = msgspec.msgpack.Decoder(Batch)
