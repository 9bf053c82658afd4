"""A report file of a plugin, behind the plugin's wall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from realtime import answers
from realtime.hookspecs import ReportFile
from realtime.isolation import Broken, Wall
from realtime.model import Ticket


class CheckedFile:
    """A plugin's report file behind the plugin's wall. Once it broke it is empty, and `broken` says why: leave it out."""

    def __init__(self, file: ReportFile, wall: Wall) -> None:
        self.name = file.name
        self.media_type = file.media_type
        self.about: str = getattr(file, "about", "")
        self.broken = ""
        self._file = file
        self._wall = wall

    def header(self) -> str:
        return self._text(self._file.header)

    def rows(self, tickets: Sequence[Ticket]) -> str:
        return self._text(partial(self._file.rows, tickets))

    def footer(self) -> str:
        return self._text(self._file.footer)

    def _text(self, make: Callable[[], object]) -> str:
        text: str | Broken = Broken(self.broken) if self.broken else self._wall.call("compose_report", make, answers.text)
        if isinstance(text, Broken):
            self.broken = text.why
            return ""
        return text
