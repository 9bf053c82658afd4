"""The log of clients' faults."""

from __future__ import annotations

import asyncio
import logging

import pytest

from realtime.server.faults import FaultLog


def test_warnings_of_one_kind_are_few_and_the_rest_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    faults = FaultLog(lambda: now)
    for number in range(100):
        faults.warning("A client did it (%d).", number)
    faults.warning("Another client did something else.")
    now = 11.0
    faults.warning("A client did it (%d).", 100)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        *(f"A client did it ({number})." for number in range(5)),
        "Another client did something else.",
        "95 more within 11 s: A client did it (100).",
        "A client did it (100).",
    ]


def test_what_uvicorn_says_about_sockets_is_not_written_and_errors_are(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    faults = FaultLog()
    faults.info('"WebSocket %s" [accepted]', "/live?token=x")
    faults.debug("< TEXT secret")
    faults.error("our own fault")
    assert [record.getMessage() for record in caplog.records] == ["our own fault"]


def test_a_request_that_was_cut_off_leaves_no_traceback_and_another_fault_does(caplog: pytest.LogCaptureFixture) -> None:
    faults = FaultLog()
    faults.error("Exception in ASGI application\n", exc_info=asyncio.CancelledError())
    faults.error("Exception in ASGI application\n", exc_info=LookupError())
    assert [type(record.exc_info[1]) for record in caplog.records if record.exc_info] == [LookupError]
