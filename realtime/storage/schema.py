"""The tables: the text of schema.sql, its statements, and the operations that install them and try them."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from realtime.errors import CannotStart
from realtime.storage.statement import NOTHING, Operation, Statement, one

VERSION = 8
"""Raised by every change of schema.sql that `create ... if not exists` does not bring about by itself."""

_PIECE = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<end> ; )
    | (?P<text> '(?:[^']|'')*' | "(?:[^"]|"")*" | [^;'"/-]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_TABLE = re.compile(r"create table if not exists (\w+)")
_INSTALLING = 0x6E6F7773
"""Names the lock that processes take in turn when several start on one Postgres at once."""


def text() -> str:
    """schema.sql as a string: from the repository in a checkout, from the package where it is installed."""
    packaged = resources.files("realtime").joinpath("schema.sql")
    if packaged.is_file():
        return packaged.read_text("utf-8")
    return (Path(__file__).parents[2] / "schema.sql").read_text("utf-8")


def statements(sql: str) -> list[str]:
    """The statements of a script, in order, without comments and semicolons."""
    found, parts = [], list[str]()
    for piece in _PIECE.finditer(sql):
        if piece["text"]:
            parts.append(piece["text"])
        elif piece["end"]:
            found.append("".join(parts).strip())
            parts.clear()
        else:
            parts.append(" ")
    found.append("".join(parts).strip())
    return [statement for statement in found if statement]


def tables(sql: str) -> list[str]:
    """The names of the tables that a script makes."""
    return [found[1] for statement in statements(sql) if (found := _TABLE.match(statement))]


def install(sql: str) -> Operation[None]:
    """Make what is missing. Safe to run again, and in several processes at once.

    Raises:
        CannotStart: the tables are of a version that this program does not know.
    """
    yield Statement("select $1", (_INSTALLING,), "select pg_advisory_xact_lock($1)")
    pieces = statements(sql)
    whole = f"do $schema$ begin {'; '.join(pieces)}; end $schema$"  # two round trips in place of two for each of them
    for count, piece in enumerate(pieces):
        yield Statement(piece, (), NOTHING if count else whole)
    row = yield from one(
        "insert into installation (name, value) values ('schema', $1)"
        " on conflict (name) do update set value = installation.value returning value",
        str(VERSION),
    )
    if row and row[0] != str(VERSION):
        raise CannotStart(
            f"The database has version {row[0]} of the tables, this nowserving knows version {VERSION}."
            " Run the version of nowserving that wrote it, or use another database."
        )


def touch() -> Operation[None]:
    """Change one small row, to see whether a write can be committed."""
    yield Statement(
        "insert into installation (name, value) values ('checked', '1')"
        " on conflict (name) do update set value = cast(cast(installation.value as bigint) + 1 as text)"
    )
