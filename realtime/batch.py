"""A batch is what a topic is told at once: one frame for those who listen already, and less of it for those who have heard some."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.frames import text_frame


class Batch:
    """JSON texts in the order in which they were published, which go out as the lines of one text.

    Args:
        texts: without line ends.
        marks: of each text, how far it brings its reader (a store's `seq`), rising; 0 where it is no step of that kind.
    """

    __slots__ = ("_marks", "_texts", "data")

    def __init__(self, texts: Sequence[bytes], marks: Sequence[int]) -> None:
        self.data = _frame(texts)
        """All of it, framed."""
        self._texts, self._marks = texts, marks

    def after(self, mark: int) -> bytes:
        """What a reader who is at `mark` has not heard, framed; nothing where that is nothing."""
        if not repeats(self._marks, mark):
            return self.data
        return _frame([text for text, its in zip(self._texts, self._marks, strict=True) if not its or its > mark])


def _frame(texts: Sequence[bytes]) -> bytes:
    return text_frame(b"\n".join(texts)) if texts else b""


def repeats(marks: Sequence[int], mark: int) -> bool:
    """Whether something among `marks` is known to a reader who is at `mark`."""
    return any(0 < each <= mark for each in marks)
