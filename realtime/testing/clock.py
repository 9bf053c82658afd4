"""A time of day that passes when a test says so."""

from __future__ import annotations


class FakeClock:
    """Call it for the time of day in milliseconds since 1970, UTC, as every `clock_ms` of nowserving is called."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises: ValueError, where it would go back."""
        if seconds < 0:
            raise ValueError("Time does not go back.")
        self.now_ms += round(seconds * 1000)
