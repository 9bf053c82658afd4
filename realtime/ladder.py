"""The ladder: in which order, and how soon, a party that is called is reached over which channel, for as long as it has not seen that it is its turn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

NOT_REACHED = "not_reached"
"""The step that tells the staff; a channel of the core's own."""
MOST_STEPS = 8
LATEST_S = 3600
_STEP = re.compile(r"([a-z][a-z0-9_-]{0,31}):(0|[1-9][0-9]{0,3}|never)")

Channel = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,31}$", max_length=32, description='A notifier, such as "sms"; or "not_reached".')]


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """One rung: a channel, and how long after the call it is used if the party has not seen the call by then."""

    channel: Channel
    after_s: Annotated[int, Meta(ge=0, le=LATEST_S, description="Seconds unseen; null: not used when a party is called.")] | None


Ladder = tuple[Step, ...]


def in_order(steps: Iterable[Step]) -> Ladder:
    """The steps as they come one after the other; those that are never used last."""
    return tuple(sorted(steps, key=lambda step: LATEST_S + 1 if step.after_s is None else step.after_s))


def twice(steps: Sequence[Step]) -> int | None:
    """Where a channel stands that stands further up already."""
    known: set[str] = set()
    for at, step in enumerate(steps):
        if step.channel in known:
            return at
        known.add(step.channel)
    return None


def faults(said: Sequence[str]) -> list[str]:
    """What is wrong with a ladder as a setting says it: "sms:20", "email:never"."""
    if len(said) > MOST_STEPS:
        return [f"call_ladder: has {len(said)} steps; leave {MOST_STEPS} at most"]
    wrong = [
        f'call_ladder: "{step}" is no step; write a notifier and the seconds after which it is used, 0 to {LATEST_S}, such as "sms:20"'
        for step in said
        if not (found := _STEP.fullmatch(step)) or (found[2] != "never" and int(found[2]) > LATEST_S)
    ]
    if not wrong and (at := twice(of_setting(said))) is not None:
        return [f'call_ladder: "{said[at]}" names a channel for the second time; leave one of them']
    return wrong


def of_setting(said: Sequence[str]) -> Ladder:
    """A ladder as a setting says it, in which there are no faults."""
    pairs = [step.split(":") for step in said]
    return tuple(Step(channel, None if after == "never" else int(after)) for channel, after in pairs)


def text(steps: Sequence[Step]) -> str:
    """A ladder as it is kept, in order."""
    return msgspec.json.encode(in_order(steps)).decode()


@lru_cache(maxsize=1024)
def kept(said: str) -> Ladder:
    """A ladder that was kept as `text`; without any, everything goes out at once."""
    return _decode(said) if said else ()


_decode = msgspec.json.Decoder(Ladder).decode
