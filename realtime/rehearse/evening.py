"""A busy evening, made up beforehand: who comes when and does what, how the desks work. A pure function of its seed."""

from __future__ import annotations

from enum import StrEnum
from random import Random

from msgspec import Struct

FIRST_NAMES = ("Ada", "Bo", "Chiara", "Dov", "Emre", "Fay", "Gus", "Hana", "Ines", "Jun", "Kim", "Lev", "Mia", "Noor", "Ole", "Pia", "Zoë")
MARK = "Probe"
"""Stands in every guest's name, so that a name is recognised wherever it turns up."""
PHONES = "+493090"
"""What every guest's phone number begins with."""
MAILS = "@guests.example"
QUEUES = ("Table for two", "Large table", "Bar", "Terrace")
MOST_TOGETHER = 5


class Away(Struct, frozen=True):
    """A phone that is not there for a while."""

    after: float
    """Seconds of the evening since it joined."""
    seconds: float
    lost: bool
    """The network went, without a goodbye; else the phone was locked."""


class Visitor(Struct, frozen=True):
    """One party, and what its phone will do."""

    name: str
    phone: str
    email: str
    size: int
    queue: str
    aways: tuple[Away, ...]
    leaves_after: float
    """0: it stays until its turn."""
    leaves_by_socket: bool
    scans_again_after: float
    """0: never."""
    lingers: float
    """How long its page stays open when its turn is over."""


class Arrival(Struct, frozen=True):
    """Parties that come together and join with one code."""

    at: float
    visitors: tuple[Visitor, ...]
    previews: bool
    """Looks at the code's page first, as a camera app does; that must use nothing up."""
    late: bool
    """Tries a code that somebody else has used, first."""
    repeats: bool
    """Sends its request twice, as a bad network does."""


class Kind(StrEnum):
    """What a desk does with one party."""

    SERVE = "serve"
    STRAIGHT = "straight"
    """Done at once, without "serving"."""
    RECALL = "recall"
    """Called a second time, then served."""
    NO_SHOW = "no_show"
    FOUND = "found"
    """Marked as not here, then it turns up: back to its old place."""
    MISTAKE = "mistake"
    """Called, and put back at once."""
    UNDONE = "undone"
    """Done, and put back."""
    CHOSEN = "chosen"
    """Not the first in the line but one further behind."""
    REMOVE = "remove"


class Turn(Struct, frozen=True):
    kind: Kind
    walk: float
    """Seconds until the party stands at the desk."""
    service: float
    rank: float
    """Which of the waiting is chosen, 0 the first, 1 the last."""


class Desk(Struct, frozen=True):
    name: str
    turns: tuple[Turn, ...]
    """In this order, and again from the start."""
    by_socket: bool
    """Sends its commands over its socket as long as it may; else over HTTP."""
    away: Away


class Interlude(Struct, frozen=True):
    """Something else that happens at the counter."""

    at: float
    kind: str
    """"walk_in", "pause", "resume" or "edit"."""
    queue: str
    visitor: Visitor | None = None


class Evening(Struct, frozen=True):
    seed: int
    seconds: float
    queues: tuple[str, ...]
    arrivals: tuple[Arrival, ...]
    desks: tuple[Desk, ...]
    interludes: tuple[Interlude, ...]

    @property
    def parties(self) -> int:
        walk_ins = sum(interlude.visitor is not None for interlude in self.interludes)
        return walk_ins + sum(len(arrival.visitors) for arrival in self.arrivals)


def plan(customers: int, minutes: float, seed: int, *, contacts: bool = True) -> Evening:
    """The evening of this seed: `customers` parties in all, some of whom come together, some without a phone.

    Without `contacts` nobody gives a phone number or an address, and a server that sends real messages sends none.
    """
    seconds = minutes * 60
    queues = QUEUES[: Random(f"{seed}/queues").randint(2, len(QUEUES))]
    letters = "ABCD"[: len(queues)]
    visitors = [_visitor(Random(f"{seed}/visitor/{number}"), number, letters, seconds, contacts) for number in range(1, customers + 1)]
    walk_ins = customers // 15
    return Evening(
        seed,
        seconds,
        queues,
        _arrivals(Random(f"{seed}/arrivals"), visitors[walk_ins:], seconds),
        _desks(seed, customers, seconds),
        _interludes(Random(f"{seed}/interludes"), visitors[:walk_ins], letters, seconds),
    )


def _visitor(random: Random, number: int, letters: str, seconds: float, contacts: bool) -> Visitor:
    """Times are parts of the evening, so that a short one is as eventful as a long one."""
    aways, after = list[Away](), 0.0
    while random.random() < 0.45 and len(aways) < 4:
        after += random.uniform(0.01, 0.12) * seconds
        away = Away(after, random.uniform(0.005, 0.1) * seconds, random.random() < 0.3)
        aways.append(away)
        after += away.seconds
    return Visitor(
        f"{random.choice(FIRST_NAMES)} {MARK} {number}",
        f"{PHONES}{100_000 + number}" if random.random() < 0.6 and contacts else "",
        f"guest{number}{MAILS}" if random.random() < 0.3 and contacts else "",
        random.choice((1, 2, 2, 2, 3, 4, 6)),
        random.choices(letters, range(len(letters) + 2, 2, -1))[0],
        tuple(aways),
        random.uniform(0.02, 0.25) * seconds if random.random() < 0.1 else 0.0,
        random.random() < 0.5,
        random.uniform(0.005, 0.1) * seconds if random.random() < 0.05 else 0.0,
        random.uniform(0.005, 0.04) * seconds,
    )


def _arrivals(random: Random, visitors: list[Visitor], seconds: float) -> tuple[Arrival, ...]:
    """A Poisson process, given how many come in all: independent times. Two in five of them come in the rush."""
    groups, rest = list[tuple[Visitor, ...]](), visitors
    while rest:
        size = random.randint(2, MOST_TOGETHER) if random.random() < 0.1 else 1
        groups.append(tuple(rest[:size]))
        rest = rest[size:]
    times = sorted(random.uniform(*((0.3, 0.45) if random.random() < 0.4 else (0.01, 0.85))) * seconds for _ in groups)
    return tuple(
        Arrival(at, group, random.random() < 0.1, number > 0 and random.random() < 0.08, random.random() < 0.06)
        for number, (at, group) in enumerate(zip(times, groups, strict=True))
    )


def _desks(seed: int, customers: int, seconds: float) -> tuple[Desk, ...]:
    """As many, and as quick, that most who came have been called in the end."""
    count = Random(f"{seed}/desks").randint(2, 4)
    each = count * seconds * 0.9 / max(customers, count)
    kinds = {
        Kind.SERVE: 60,
        Kind.STRAIGHT: 8,
        Kind.RECALL: 8,
        Kind.NO_SHOW: 8,
        Kind.FOUND: 3,
        Kind.MISTAKE: 4,
        Kind.UNDONE: 2,
        Kind.CHOSEN: 5,
        Kind.REMOVE: 2,
    }
    desks = list[Desk]()
    for number in range(1, count + 1):
        random = Random(f"{seed}/desk/{number}")
        turns = tuple(
            Turn(kind, _about(random, each * 0.25), _about(random, each * 0.6), random.random())
            for kind in random.choices(list(kinds), list(kinds.values()), k=max(20, customers))
        )
        away = Away(random.uniform(0.2, 0.8) * seconds, random.uniform(0.005, 0.02) * seconds, random.random() < 0.5)
        desks.append(Desk(f"Desk {number}", turns, number % 2 == 1, away))
    return tuple(desks)


def _about(random: Random, mean: float) -> float:
    return min(random.expovariate(1 / mean), 4 * mean)


def _interludes(random: Random, walk_ins: list[Visitor], letters: str, seconds: float) -> tuple[Interlude, ...]:
    found = [Interlude(random.uniform(0.02, 0.9) * seconds, "walk_in", visitor.queue, visitor) for visitor in walk_ins]
    for part in (0.15, 0.5, 0.7):
        queue, at = random.choice(letters), (part + random.uniform(0, 0.1)) * seconds
        found += [Interlude(at, "pause", queue), Interlude(at + random.uniform(0.01, 0.04) * seconds, "resume", queue)]
    found += [Interlude(random.uniform(0.1, 0.9) * seconds, "edit", random.choice(letters)) for _ in range(3)]
    return tuple(sorted(found, key=lambda interlude: interlude.at))
