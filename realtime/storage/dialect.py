"""What is SQLite's own: its placeholders, and its errors as the sentences and classes that everybody else knows."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable
from typing import Any

from realtime.errors import AnotherProcess, CannotStart, Conflict, NowServingError, StorageFailed
from realtime.storage.statement import name_of

log = logging.getLogger(__name__)

_PLACEHOLDER = re.compile(r"('[^']*')|\$(\d+)")
_MOST_TEXTS = 1024
BROKEN = (sqlite3.Error, UnicodeDecodeError)
"""What the database raises. A damaged file may hold text that is none."""


class Texts(dict[str, str]):
    """Statements as SQLite takes them, each translated once: `$1` becomes `?1`, for sqlite3 binds a sequence to no other names."""

    def __missing__(self, sql: str) -> str:
        if len(self) >= _MOST_TEXTS:
            self.clear()
        text = self[sql] = _PLACEHOLDER.sub(lambda found: found[1] or f"?{found[2]}", sql)
        return text


ROWS_AT_ONCE = 64
_MOST_PLACEHOLDERS = 999
"""In one statement, in the oldest SQLite that there is."""
_VALUES = re.compile(r"(insert .*? values )(\([^()]*\))( on conflict .*)?$")


class Rows(dict[tuple[str, int], str]):
    """The texts that put in several rows at once: `(statement, how many)` -> text; empty where the statement cannot.

    sqlite3 lets go of the interpreter at each step of a statement, so rows put in one by one cost a change of threads each.
    """

    def __missing__(self, key: tuple[str, int]) -> str:
        if len(self) >= _MOST_TEXTS:
            self.clear()
        sql, count = key
        found = _VALUES.match(sql)
        text = ""
        if found:
            width = max((int(number) for _, number in _PLACEHOLDER.findall(sql) if number), default=0)
            if width * count <= _MOST_PLACEHOLDERS:
                rows = (_shifted(found[2], at * width) for at in range(count))
                text = found[1] + ", ".join(rows) + (found[3] or "")
        self[key] = text
        return text


def _shifted(sql: str, by: int) -> str:
    return _PLACEHOLDER.sub(lambda found: found[1] or f"?{int(found[2]) + by}", sql)


def reason(error: BaseException | None) -> str:
    """What went wrong in a word; never the error's own text, which may quote a person's data."""
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def failed(cause: BaseException | None) -> StorageFailed:
    error = StorageFailed()
    error.__cause__ = cause
    return error


def as_told(make: Callable[..., Any], error: BaseException) -> BaseException:
    """An operation's error as its caller gets it."""
    if isinstance(error, NowServingError):
        return error
    if isinstance(error, sqlite3.IntegrityError):
        log.warning("%s was refused: %s", name_of(make), reason(error))
        conflict = Conflict()
        conflict.__cause__ = error
        return conflict
    log.error("%s failed: %s", name_of(make), reason(error))
    if isinstance(error, BROKEN) or not isinstance(error, Exception):
        return failed(error)
    return error


def cannot_start(path: str, error: BaseException | None) -> CannotStart:
    """Why a file cannot be used, with what to do about it."""
    name = reason(error)
    if name.startswith("SQLITE_BUSY"):
        return AnotherProcess(f"Another program is writing to the database file {path}. Stop it, then start nowserving again.")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or isinstance(error, UnicodeDecodeError):
        why = "is damaged or is no SQLite database. Put back a copy of it, or move it away to begin with an empty one."
    elif name.startswith("SQLITE_READONLY"):
        why = "cannot be written. Allow this user to write the file and its folder."
    elif name.startswith("SQLITE_CANTOPEN"):
        why = "cannot be opened. Make its folder, and allow this user to read and write there."
    elif name.startswith("SQLITE_FULL"):
        why = "has no room to grow. Free some space on its disk."
    else:
        why = f"cannot be used ({name}). Look at its disk, or set DATABASE_URL to another file."
    told = CannotStart(f"The database file {path} {why}")
    told.__cause__ = error
    return told
