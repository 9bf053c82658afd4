"""What every test may ask for: databases, servers, sinks and pages, all real, each started when first asked for and ended with its test or run."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from playwright.async_api import Browser, Page

from realtime.settings import HOST_NAMES, PREFIX
from tests.support import chromium
from tests.support.batches import HAS_THEM
from tests.support.mail import MailServer
from tests.support.pages import Pages
from tests.support.postgres import PostgresServer
from tests.support.process import ServerProcess
from tests.support.sink import HttpSink
from tests.support.valkey import ValkeyServer

MAY_BLOCK = {
    "realtime/app.py": {"load_plugins", "create_app"},
    "realtime/storage/sqlite.py": {"open", "close"},
    "realtime/storage/postgres.py": {"open", "close"},
    "realtime/storage/schema.py": {"text"},
    # The loop waits for the database's thread, for a moment that has an end.
    "realtime/storage/turns.py": {"_stand_still"},
    # For every new connection it looks for a password file and certificates in the user's home.
    "asyncpg/connect_utils.py": {"_connect"},
    # It looks its own version up for every new connection.
    "redis/utils.py": {"get_lib_version"},
    # A line of the log; how long that takes is the operator's choice of where it goes.
    "logging/__init__.py": {"emit", "flush"},
}
"""Where the loop may be blocked: at the start and at the end of a process, and where asyncpg leaves no choice."""
ROOM_BYTES = 4 * 2**30
collect_ignore = [] if HAS_THEM else ["test_uring.py"]
IN_BROWSER = {"browser", "pages", "page"}


# ---- the run ------------------------------------------------------------------------------------------------------


def pytest_configure() -> None:
    """A developer's own settings do not reach the tests; their files are in memory where there is room, for they are synced all the time."""
    # How long an example takes says how busy the machine is, nothing of the program.
    hypothesis_settings.register_profile("nowserving", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    hypothesis_settings.load_profile("nowserving")
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free >= ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
    for name in list(os.environ):
        if name in HOST_NAMES or name.startswith(PREFIX) or name in ("DYNO", "FORWARDED_ALLOW_IPS"):
            del os.environ[name]
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # as shells start what runs in the background; the programs under test would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, for many tests wait for a server or a clock; the servers and browsers need cores as well."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 3) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser outlives a test, so tests that use it share its event loop."""
    for item in items:
        if IN_BROWSER & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.browser)
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "postgres_server" in getattr(item, "fixturenames", ()) or parameters.get("database_url") == "postgres":
            item.add_marker(pytest.mark.postgres)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where CI is set, a skipped test is a failure: it would say nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("CI") and (skipped := terminalreporter.stats.get("skipped")):
        terminalreporter.write_line(f"FAILED: {len(skipped)} skipped where CI is set; there every test must run", red=True)


@pytest.fixture(autouse=True, scope="session")
def packages_are_looked_for_once() -> Iterator[None]:
    """To look through all that is installed takes longer than most tests. Tests that install something change the path, and are told."""
    look = metadata.entry_points
    known: dict[tuple[object, ...], Any] = {}

    def entry_points(**params: str) -> Any:
        key = (*sys.path, *sorted(params.items()))
        return known[key] if key in known else known.setdefault(key, look(**params))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "entry_points", entry_points)
        yield


@pytest.fixture(autouse=True)
def blocking_is_an_error() -> Iterator[BlockBuster]:
    """Code of ours that blocks an event loop - a file, a socket, a lock, a sleep - raises in that test."""
    with blockbuster_ctx(["realtime", "plugins", "notifiers"]) as blockbuster:
        for blocking in blockbuster.functions.values():
            for file, functions in MAY_BLOCK.items():
                blocking.can_block_in(file, functions)
        yield blockbuster


# ---- databases and brokers ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def new_database(postgres_server: PostgresServer) -> Iterator[Callable[[], str]]:
    """Makes an empty Postgres database and returns its address. It is emptied after the test."""
    yield postgres_server.new_database
    postgres_server.take_back()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'nowserving.db'}"
    make: Callable[[], str] = request.getfixturevalue("new_database")
    return make()


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


# ---- where notifications go ---------------------------------------------------------------------------------------


@pytest.fixture
def smtp_sink() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def http_sink() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


# ---- the program --------------------------------------------------------------------------------------------------

Serve = Callable[..., ServerProcess]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serve]:
    """Starts nowserving: `server(store_hours=1)`. Several may be asked for; they stop with the test, and must stop well.

    `environment` adds variables, `expect_errors=True` allows tracebacks in the log, `start=False` leaves the start to the test.
    """
    processes: list[ServerProcess] = []

    def serve(
        *, environment: dict[str, str] | None = None, expect_errors: bool = False, start: bool = True, **settings: object
    ) -> ServerProcess:
        process = ServerProcess(tmp_path, settings, environment or {}, expect_errors)
        processes.append(process)
        return process.start() if start else process

    try:
        yield serve
    finally:
        faults = []
        for process in processes:
            try:
                process.close()
            except AssertionError as fault:
                faults.append(str(fault))
        assert not faults, "\n".join(faults)


# ---- the browser --------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for the run; every page has a context of its own."""
    async with chromium.launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def pages(browser: Browser) -> AsyncIterator[Pages]:
    """Opens pages for several people: `await pages.open(360, 740)`."""
    pages = Pages(browser)
    yield pages
    await pages.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(pages: Pages) -> Page:
    """One page on a large screen."""
    return await pages.open()
