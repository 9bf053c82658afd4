"""The contract between operations and databases: an operation yields statements, is sent rows, and returns a value.

An operation is a generator function, so it is written once and driven by every database. What it may count on:

* It is one transaction: all of its statements happen, or none. Raising rolls it back.
* It may be run again from its start before it has an outcome, so it changes nothing but rows. What it is given and what it makes
  (times, ids, tokens) are its arguments.
* Placeholders are `$1`, `$2` ... in one text for both databases; every argument is text, an integer or None. Rows are read by
  position only: `(seq, epoch) = rows[0]`.
* A change without `returning` is answered by SQLite with one empty row for each row it changed; `changed` counts them on both.
* It never catches a database error. A broken constraint reaches the caller as `realtime.errors.Conflict`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Generic, ParamSpec, Protocol, TypeAlias, TypeVar

from msgspec import Struct

P = ParamSpec("P")
T = TypeVar("T")


NOTHING = "-- nothing"
"""As the text for Postgres: there is nothing to do there. It is answered with no rows."""


class Statement(Struct, frozen=True, gc=False):
    """One SQL text with the arguments of its placeholders."""

    sql: str
    args: tuple[Any, ...] = ()
    postgres: str = ""
    """Another text for Postgres, where the two databases must differ; it takes the same arguments."""
    each: Sequence[tuple[Any, ...]] = ()
    """In place of `args`: a change, done once with each of these. It is answered as one change of all their rows."""


Row: TypeAlias = Sequence[Any]
Operation: TypeAlias = Generator[Statement, list[Row], T]


def one(sql: str, *args: Any, postgres: str = "") -> Operation[Row | None]:
    """The first row, or None: `row = yield from one("select name from stores where id = $1", store_id)`."""
    rows = yield Statement(sql, args, postgres)
    return rows[0] if rows else None


def every(sql: str, *args: Any, postgres: str = "") -> Operation[list[Row]]:
    """All rows, in the order of the statement."""
    rows = yield Statement(sql, args, postgres)
    return rows


def changed(sql: str, *args: Any) -> Operation[int]:
    """How many rows an update or a delete changed; without `returning`, for which SQLite makes a table each time."""
    rows = yield Statement(sql, args, f"{sql} returning 1")
    return len(rows)


def changed_each(sql: str, each: Sequence[tuple[Any, ...]]) -> Operation[int]:
    """How many rows a change that is done with each of these arguments changed altogether."""
    rows = yield Statement(sql, (), f"{sql} returning 1", each)
    return len(rows)


class Together(Generic[P, T]):
    """An operation that costs less when several calls of it are one operation; storage may run so what waits at the same time.

    Args:
        one: the operation.
        many: the same for a list of calls, each the tuple of its arguments; its value is the list of theirs, as if each had been run
            in turn. It may assume that all succeed: when it raises, nothing of it happened, and each call is run by itself.
        in_turn: whether calls with the same first argument wait for each other anyway, for they change the same row.
    """

    def __init__(
        self, one: Callable[P, Operation[T]], many: Callable[[Sequence[Any]], Operation[list[T]]], *, in_turn: bool = True
    ) -> None:
        self.one = one
        self.many = many
        self.in_turn = in_turn
        self.__qualname__ = one.__qualname__.removeprefix("_")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Operation[T]:
        return self.one(*args, **kwargs)


def name_of(make: Callable[..., object]) -> str:
    """What an operation is called in logs and figures."""
    return getattr(make, "__qualname__", None) or type(make).__name__


class Storage(Protocol):
    """Where operations are run. It keeps the event loop free and belongs to the loop that opened it.

    Raises of both `write` and `read`, besides what the operation raises by itself:
        Conflict: a constraint does not allow it; nothing was changed.
        StorageBusy: too many operations wait already; nothing was changed.
        StorageFailed: the database refused or broke; nothing was changed.
        Unavailable: the connection was lost while the transaction was being committed (Postgres only), so nobody knows whether
            it happened. It is never reported as done.
    """

    async def open(self) -> None:
        """Make the tables where they are missing, and be ready.

        Raises:
            CannotStart: with a sentence that names the database and says what to do.
        """

    async def close(self) -> None:
        """Finish what was accepted, then let go of the database. Later operations raise StorageFailed."""

    async def write(self, make: Callable[P, Operation[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `make(*args)` as one transaction and return its value once it is durable.

        A caller that is cancelled before its operation has begun takes it back; after that the operation finishes as if the
        caller were still there, and its value is dropped.
        """
        ...

    async def write_and_tell(self, tell: Callable[[T], None], make: Callable[P, Operation[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As `write`; `tell` is called with the value once it is durable, before the caller goes on, and also if the caller went away.

        `tell` never raises and never waits. Whatever was committed before `close` returns has been told.
        """
        ...

    async def read(self, make: Callable[P, Operation[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `make(*args)` on one consistent snapshot, in which nothing can be changed."""
        ...

    async def carry_on(self) -> None:
        """See whether the database is of another past than the one that was left: then what happened in each store so far has another name.

        `open` does it too. A server may be replaced by a copy of an earlier state under a running program; a file cannot.

        Raises:
            StorageBusy, StorageFailed: it could not be seen now.
        """

    async def scrub(self) -> None:
        """After deletions: leave nothing of what was deleted in the write-ahead log or in free pages, as far as the database can.

        Raises:
            StorageFailed: it could not be done now; calling again later may succeed.
        """

    async def check(self) -> None:
        """Commit a tiny write.

        Raises:
            Unavailable: a write cannot be committed now.
        """
