"""What waits to be told is bounded, becomes messages that fit, and loses nothing but what its policy says; and no bytes make a reader fail."""

from __future__ import annotations

from itertools import chain
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.broker import Hears, PostgresBroker, ValkeyBroker
from realtime.broker.news import MOST_KEPT_BYTES, MOST_NOTES, Batch, News, read_json, read_msgpack
from realtime.broker.sealed import NotOurs, channel, opened, seal
from realtime.model import Event

KEY = b"k" * 32
LONGEST_NOTIFY = 7999
LONGEST_MESSAGE = 1 << 16

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=64)
texts = st.text(st.characters(codec="utf-8"), max_size=300)
told = st.one_of(
    st.tuples(st.just("event"), names, st.integers(1, 10**12), texts),
    st.tuples(st.just("work"), names),
    st.tuples(st.just("note"), names, st.binary(max_size=4096)),
)


def tell(news: News, what: tuple[Any, ...]) -> None:
    match what:
        case "event", store_id, seq, text:
            news.add(Event(store_id, seq, 0, "ticket", text, text))
        case "work", queue:
            news.add_work(queue)
        case "note", kind, body:
            news.add_note(kind, body)


def messages(news: News) -> list[Batch]:
    found = []
    while batch := news.take():
        found.append(batch)
    return found


@given(st.lists(told, max_size=60), st.booleans())
def test_every_message_fits_and_together_they_say_everything(said: list[tuple[Any, ...]], in_full: bool) -> None:
    news = News("me", LONGEST_MESSAGE - 1000 if in_full else 7000, in_full=in_full)
    for what in said:
        tell(news, what)

    batches = messages(news)

    for batch in batches:
        if in_full:
            packed = msgspec.msgpack.encode(batch)
            assert len(packed) <= LONGEST_MESSAGE
            assert read_msgpack(packed) == batch
        else:
            text = msgspec.json.encode(batch)
            assert len(text) <= LONGEST_NOTIFY
            assert read_json(text) == batch
            assert not batch.events
    assert [batch.number for batch in batches] == list(range(1, len(batches) + 1))
    newest: dict[str, int] = {}
    for what in said:
        if what[0] == "event":
            newest[what[1]] = max(what[2], newest.get(what[1], 0))
    heard: dict[str, int] = {}
    carried = ((event.store_id, event.seq) for batch in batches for event in batch.events)
    for store_id, seq in chain(carried, *(batch.reached.items() for batch in batches)):
        heard[store_id] = max(seq, heard.get(store_id, 0))
    assert heard == newest
    assert [(note.kind, note.body) for batch in batches for note in batch.notes] == [what[1:] for what in said if what[0] == "note"]
    assert {queue for batch in batches for queue in batch.work} == {what[1] for what in said if what[0] == "work"}


def test_what_waits_is_bounded_and_the_rest_is_told_by_its_number() -> None:
    news = News("me", LONGEST_MESSAGE, in_full=True)
    for seq in range(1, 10_001):
        news.add(Event("shop", seq, 0, "ticket", "x" * 1000, "{}"))

    batches = messages(news)

    carried = [event for batch in batches for event in batch.events]
    assert sum(len(event.owner) for event in carried) <= MOST_KEPT_BYTES
    assert [event.seq for event in carried] == list(range(1, len(carried) + 1))
    assert batches[0].reached == {"shop": 10_000}  # at once: who hears it reads


def test_of_too_many_notes_the_oldest_are_dropped() -> None:
    news = News("me", LONGEST_MESSAGE, in_full=True)
    for number in range(MOST_NOTES + 5):
        news.add_note("n", b"%d" % number)

    assert next(note.body for batch in messages(news) for note in batch.notes) == b"5"


def test_what_is_sealed_is_opened_with_the_same_key_only() -> None:
    sealed = seal(KEY, b"payload")

    assert opened(KEY, sealed) == b"payload"
    for wrong in (b"", sealed[:-1], sealed + b"x", sealed[:16] + b"\x02" + sealed[17:], seal(b"other", b"payload")):
        with pytest.raises(NotOurs):
            opened(KEY, wrong)
    assert channel(KEY) == channel(KEY) != channel(b"other")


@settings(deadline=None)  # the first broker imports its driver
@given(st.binary(max_size=300))
def test_no_bytes_make_a_reader_fail(message: bytes) -> None:
    hears = Hears()
    valkey, postgres = ValkeyBroker("redis://h", KEY, hears), PostgresBroker("postgresql://h/d", hears)

    valkey._read(message)
    valkey._read(seal(KEY, message))
    postgres._read(message.decode("latin-1"))

    assert valkey.ignored >= 1
    assert postgres.ignored <= 1
