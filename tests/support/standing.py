"""Servers that stand for the whole run, one for each way of setting it up; a test that borrows one is alone there."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.process import ServerProcess

_MANY = {"sign_in_tries_per_minute": 10_000, "joins_per_minute": 100_000}
"""All tests come from one address."""


class StandingServers:
    """For tests that need a server as it starts, and neither end it nor read its log. It must end well with the run."""

    def __init__(self, new_folder: Callable[[], Path]) -> None:
        self._new_folder = new_folder
        self._started: dict[str, ServerProcess] = {}

    @contextlib.contextmanager
    def lent(self, **settings: object) -> Iterator[ServerProcess]:
        """A server on which nobody has an account. Raises: AssertionError if it wrote a traceback meanwhile."""
        key = repr(sorted(settings.items()))
        if key not in self._started:
            self._started[key] = ServerProcess(self._new_folder(), _MANY | settings, {}).start()
        server = self._started[key]
        read = len(server.output())
        try:
            yield server
        finally:
            _move_out(server.folder / "nowserving.db")
            said = server.output()[read:]
        assert "Traceback" not in said, said

    def close(self) -> None:
        for server in self._started.values():
            server.close()


def _move_out(database: Path) -> None:
    """Frees the addresses of all accounts for the next test, and posts nothing more to the receivers of this one."""
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute("update accounts set email = id || '@moved.example'")
        connection.execute("update webhooks set off_ms = 1, off_why = 'the test is over' where off_ms = 0")
