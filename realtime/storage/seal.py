"""The seal of a file's last commit: in the file, and in the one beside it, which no backup brings along."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Any

_LENGTH = 128
_MARK = "update installation set value = ?1 where name = 'lineage'"


class Seal:
    """Changes with every commit, so that a file that was put back to an earlier state is known, however the program ended.

    While a commit is under way both the last mark and its own stand beside the file: a program that is killed in between is found with either.
    After a crash of the machine the marks beside may be older than the file; then screens begin anew without need.

    Args:
        beside: the open file beside the database, which this process has for itself.
        file: which file the database is, whatever it holds.
    """

    def __init__(self, beside: int, file: int) -> None:
        self._beside = beside
        self._file = file
        self._base, self._number = secrets.token_hex(8), 0
        self._last = self._next = f"{self._base}.0"

    @property
    def mark(self) -> str:
        """What stands in the file after the last commit."""
        return self._in_file(self._last)

    def left(self) -> tuple[str, ...]:
        """What may stand in a file that was left in order, or in the middle of a commit."""
        return tuple(map(self._in_file, os.pread(self._beside, _LENGTH, 0).decode(errors="replace").split()))

    def take(self) -> None:
        """The file has this seal's mark from now on."""
        self._write(self._last)

    def before_commit(self, execute: Callable[[str, tuple[str]], Any]) -> None:
        self._number += 1
        self._next = f"{self._base}.{self._number}"
        self._write(f"{self._last} {self._next}")
        execute(_MARK, (self._in_file(self._next),))

    def committed(self) -> None:
        self._last = self._next
        self._write(self._last)

    def _in_file(self, mark: str) -> str:
        return f"{self._file}:{mark}"

    def _write(self, marks: str) -> None:
        os.pwrite(self._beside, marks.ljust(_LENGTH).encode(), 0)
