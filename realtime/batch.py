"""A batch is what a topic is told at once: one text for those who listen already, and less of it for those who have heard some."""

from __future__ import annotations

from collections.abc import Sequence


class Batch:
    """Frames in the order in which they were published.

    Args:
        frames: encoded.
        marks: of each frame, how far it brings its reader (a store's `seq`), rising; 0 where it is no step of that kind.
    """

    __slots__ = ("_frames", "_marks", "data")

    def __init__(self, frames: Sequence[bytes], marks: Sequence[int]) -> None:
        self.data = b"".join(frames)
        """All of it."""
        self._frames, self._marks = frames, marks

    def after(self, mark: int) -> bytes:
        """What a reader who is at `mark` has not heard."""
        if not repeats(self._marks, mark):
            return self.data
        return b"".join(frame for frame, its in zip(self._frames, self._marks, strict=True) if not its or its > mark)


def repeats(marks: Sequence[int], mark: int) -> bool:
    """Whether something among `marks` is known to a reader who is at `mark`."""
    return any(0 < each <= mark for each in marks)
