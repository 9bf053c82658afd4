"""The durable queue against its reference (`tests/support/queue_model.py`), on both databases."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from realtime.app import make_storage
from realtime.settings import Settings
from realtime.storage.statement import Operation, Statement
from tests.support.operations import Direct
from tests.support.queue_model import Work


class OnSqlite(Work):
    def database(self) -> Callable[[Operation[Any]], Any]:
        self.folder = tempfile.TemporaryDirectory()
        self.direct = Direct(Path(self.folder.name) / "nowserving.db")
        return self.direct.run

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.direct.close()
            self.folder.cleanup()


TestOnSqlite = OnSqlite.TestCase
TestOnSqlite.settings = settings(max_examples=60, stateful_step_count=6, deadline=None)


def test_on_postgres(new_database: Callable[[], str]) -> None:
    with asyncio.Runner() as runner:
        storage = make_storage(Settings.defaults(database_url=new_database(), postgres_pool=2))
        runner.run(storage.open())

        def given(operation: Operation[Any]) -> Operation[Any]:
            return operation

        def run(operation: Operation[Any]) -> Any:
            return runner.run(storage.write(partial(given, operation)))

        def empty() -> Operation[None]:
            for table in ("jobs", "dead_jobs", "attempts", "job_keys", "paused_queues"):
                yield Statement(f"delete from {table}")

        class OnPostgres(Work):
            def database(self) -> Callable[[Operation[Any]], Any]:
                run(empty())
                return run

        try:
            run_state_machine_as_test(
                OnPostgres,
                settings=settings(max_examples=10, stateful_step_count=4, deadline=None, suppress_health_check=[HealthCheck.too_slow]),
            )
        finally:
            runner.run(storage.close())
