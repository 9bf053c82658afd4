"""The log: one line per record, UTC times, nothing in it that a terminal or a log reader would take for more than text."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, TextIO

from realtime.errors import NowServingError

ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    10: "\\n",
    13: "\\r",
    9: "\\t",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
"""Control characters (a forged line, a terminal sequence) and how they are written instead. CVE-2020-7694 is what happens without."""


class LineFormatter(logging.Formatter):
    """`2026-11-22T19:03:12.345Z WARNING realtime.courier message`; a traceback follows in the same line, with its line ends as \\n."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self._second = 0
        self._time = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - as logging calls it
        second = int(record.created)
        if second != self._second:
            self._second, self._time = second, super().formatTime(record, self.datefmt)
        return self._time

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info or record.exc_text or record.stack_info:
            line = super().format(record)
        else:
            line = f"{self.formatTime(record)}.{int(record.msecs):03d}Z {record.levelname} {record.name} {record.getMessage()}"
        return line if line.isprintable() else line.translate(ESCAPES)


class Record(logging.LogRecord):
    """A record without its place in the source, its thread, process and task: no line says them, and to find them out costs more than the rest."""

    def __init__(
        self, name: str, level: int, pathname: str, lineno: int, msg: object, args: Any, exc_info: Any, func: Any = None, sinfo: Any = None
    ) -> None:
        said = self.__dict__ = _NOWHERE.copy()
        now_ms = time.time_ns() // 1_000_000
        said["name"] = name
        said["msg"] = msg
        # One mapping alone is what the message's names are looked up in, as in logging.LogRecord.
        said["args"] = args[0] if args and len(args) == 1 and isinstance(args[0], Mapping) and args[0] else args
        said["levelno"] = level
        said["levelname"] = logging.getLevelName(level)
        said["created"] = now_ms / 1000
        said["msecs"] = now_ms % 1000
        said["exc_info"] = exc_info
        said["stack_info"] = sinfo


_NOWHERE = {**logging.makeLogRecord({}).__dict__, "exc_text": None, "pathname": "", "filename": "", "module": "", "lineno": 0}


def without_trace(record: logging.LogRecord) -> None:
    """A fault that a client caused becomes a WARNING in one sentence: nobody outside can fill the log with tracebacks."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, NowServingError) and error.status < 500:
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = f"{record.getMessage()}: {error.code}", ()
        record.exc_info = record.exc_text = None


class Together(logging.StreamHandler[TextIO]):
    """What is logged in one turn of an event loop is written with one system call; a warning or worse, and whatever is logged elsewhere, at once."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: deque[str] = deque()
        self._asked: asyncio.AbstractEventLoop | None = None
        """The loop that will write, should its next turn come."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock that logging takes for each record: a line is added in one step, and `flush` has a lock of its own."""
        if record.exc_info:
            without_trace(record)
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record))
            loop = asyncio._get_running_loop()
            if loop is None or record.levelno >= logging.WARNING:
                self.flush()
            elif loop is not self._asked:
                self._asked = loop
                loop.call_soon(self.flush)
        except Exception:  # noqa: BLE001 - as in logging: a line that cannot be written ends nothing
            self.handleError(record)

    def flush(self) -> None:
        self.acquire()
        try:
            self._asked = None
            text = ""
            while self._lines:
                text += f"{self._lines.popleft()}\n"
            if text:
                self.stream.write(text)
            super().flush()
        finally:
            self.release()


def configure(level: str, stream: TextIO | None = None) -> None:
    """Sends every logger's records to `stream` (standard error), from `level` on. Replaces what was configured before."""
    handler = Together(stream or sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    logging.setLogRecordFactory(Record)
    logging._srcfile = None  # the switch that the Logging HOWTO gives under "Optimization": the caller's place is not looked for
    # At DEBUG these write what goes over every socket and every SQL argument: names and phone numbers among it.
    for talkative in ("websockets", "aiosqlite", "asyncio"):
        logging.getLogger(talkative).setLevel(max(logging.INFO, root.level))
    # At INFO it tells each of its connections.
    logging.getLogger("databases").setLevel(max(logging.WARNING, root.level))
