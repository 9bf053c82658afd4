"""What is shown while the evening is played: a block that is drawn again on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import asyncio
import sys
from typing import TextIO

from realtime.rehearse.rehearsal import Rehearsal

DRAW_SECONDS = 0.25
LINE_SECONDS = 5.0
BAR = 30


class Progress:
    """`run` until it is cancelled, then `end`."""

    def __init__(self, rehearsal: Rehearsal, out: TextIO | None = None) -> None:
        self._rehearsal = rehearsal
        self._out = out or sys.stdout
        self._terminal = self._out.isatty()
        self._drawn = 0
        self._before = (0, 0.0)

    async def run(self) -> None:
        while True:
            self.draw()
            await asyncio.sleep(DRAW_SECONDS if self._terminal else LINE_SECONDS)

    def draw(self) -> None:
        if self._terminal:
            lines = self._block()
            up = f"\x1b[{self._drawn}A" if self._drawn else ""
            self._out.write(up + "".join(f"\r\x1b[K{line}\n" for line in lines))
            self._drawn = len(lines)
        else:
            self._out.write(self._line() + "\n")
        self._out.flush()

    def end(self) -> None:
        """The last state stays on the screen."""
        if self._terminal:
            self.draw()

    def _block(self) -> list[str]:
        rehearsal, counts = self._rehearsal, self._rehearsal.record.counts
        part = min(1.0, rehearsal.clock.now() / rehearsal.evening.seconds) if rehearsal.phase != "opening" else 0.0
        line = self._line_counts()
        return [
            f"{self._clock()}  [{'#' * round(part * BAR):{BAR}}]  {rehearsal.phase}",
            f"  waiting {line['waiting']:4}   called {line['called']:4}   serving {line['serving']:4}   of {rehearsal.evening.parties} parties {counts['joined']} came",
            f"  done {counts['done']:7}   no-shows {counts['no_show']:2}   left {counts['left']:7}   sockets {rehearsal.sockets}   {self._rate():.0f} messages/s",
        ]

    def _line(self) -> str:
        rehearsal, counts = self._rehearsal, self._rehearsal.record.counts
        line = self._line_counts()
        return (
            f"{self._clock()} {rehearsal.phase}: {line['waiting']} waiting, {line['called']} called, {line['serving']} serving,"
            f" {counts['done']} done, {counts['no_show']} no-shows, {rehearsal.sockets} sockets, {self._rate():.0f} messages/s"
        )

    def _clock(self) -> str:
        seconds = 0 if self._rehearsal.phase == "opening" else min(int(self._rehearsal.clock.now()), int(self._rehearsal.evening.seconds))
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    def _line_counts(self) -> dict[str, int]:
        view = self._rehearsal.shop.view
        return view.counts() if view else dict.fromkeys(("waiting", "called", "serving"), 0)

    def _rate(self) -> float:
        messages, now = self._rehearsal.record.counts["messages"], asyncio.get_running_loop().time()
        before, then = self._before
        self._before = messages, now
        return (messages - before) / (now - then) if then and now > then else 0.0
