"""The log: one line per record, whatever is in it."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import threading
from collections.abc import Iterator

import pytest

from realtime import logs
from realtime.errors import CodeUsed, StorageFailed

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) [\w.]+ ")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log of a process that was configured for it; put back afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("info", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_record_is_one_line_with_a_utc_time_a_level_and_a_logger(log: io.StringIO) -> None:
    logging.getLogger("realtime.courier").info("sent %d", 3)

    assert LINE.match(log.getvalue())
    assert log.getvalue().endswith("Z INFO realtime.courier sent 3\n")


class Written(io.StringIO):
    """Counts how often something is written."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    def write(self, text: str) -> int:
        self.times += 1
        return super().write(text)


@pytest.fixture
def written(log: io.StringIO) -> Written:
    stream = Written()
    logs.configure("info", stream)
    return stream


async def test_what_is_logged_in_one_turn_of_the_loop_is_written_at_once_and_in_order(written: Written) -> None:
    for number in range(3):
        logging.getLogger("realtime").info("line %d", number)
    await asyncio.sleep(0)

    assert [line[-6:] for line in written.getvalue().splitlines()] == ["line 0", "line 1", "line 2"]
    assert written.times == 1


async def test_a_warning_does_not_wait_for_the_turn_to_end_and_overtakes_nothing(written: Written) -> None:
    logging.getLogger("realtime").info("first")
    logging.getLogger("realtime").warning("second")

    assert [line.split()[-1] for line in written.getvalue().splitlines()] == ["first", "second"]


async def test_a_line_of_another_thread_is_written_though_the_loop_stands_still(written: Written) -> None:
    thread = threading.Thread(target=lambda: logging.getLogger("realtime").info("from a thread"))
    thread.start()
    thread.join()

    assert written.getvalue().endswith("from a thread\n")


def test_nothing_is_kept_back_by_a_loop_that_has_ended(written: Written) -> None:
    async def say(text: str) -> None:
        logging.getLogger("realtime").info(text)

    for text in ("one", "two"):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(say(text))
        loop.close()
    logging.getLogger().handlers[0].flush()

    assert [line.split()[-1] for line in written.getvalue().splitlines()] == ["one", "two"]


def test_what_somebody_sent_cannot_forge_a_line_or_move_a_terminal(log: io.StringIO) -> None:
    logging.getLogger("realtime").info("path %s", "/a\r\n2026 ERROR fake\x1b[2J\x9b\u2028")

    assert log.getvalue().count("\n") == 1
    assert r"/a\r\n2026 ERROR fake\x1b[2J\x9b\u2028" in log.getvalue()


def test_a_traceback_stays_in_its_line(log: io.StringIO) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("realtime").exception("it broke")

    assert log.getvalue().count("\n") == 1
    assert r"it broke\nTraceback (most recent call last):\n" in log.getvalue()


def test_a_fault_of_a_client_is_a_warning_without_a_traceback(log: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error("in a request", exc_info=CodeUsed())

    assert log.getvalue().endswith("Z WARNING uvicorn.error in a request: code_used\n")


def test_a_fault_of_ours_is_an_error_with_its_traceback(log: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error("in a request", exc_info=StorageFailed())

    assert " ERROR uvicorn.error in a request" in log.getvalue()
    assert "StorageFailed" in log.getvalue()


def test_libraries_do_not_tell_what_goes_over_the_wire(log: io.StringIO) -> None:
    logs.configure("debug", log)

    logging.getLogger("websockets.server").debug("> TEXT '%s'", "Ann +49 151")
    logging.getLogger("realtime").debug("of ours")

    assert "Ann" not in log.getvalue()
    assert "of ours" in log.getvalue()
