"""One measured figure, as every file in bench/ returns it and the runner prints it."""

from __future__ import annotations

from typing import NamedTuple


class Result(NamedTuple):
    """A row of the table that `make bench` prints."""

    name: str
    value: float
    """The median of several runs."""
    unit: str
    ratio: float | None = None
    """value / the same figure of `against`, measured in the same run."""
    against: str = ""
    target: str = ""
    """What was asked for, as "<= 1.6 x": empty for a figure that is only told."""
    met: bool | None = None


def line(result: Result) -> str:
    """The row as text."""
    ratio = f"{result.ratio:.2f} x {result.against}" if result.ratio is not None else result.against
    verdict = {True: "met", False: "NOT MET", None: ""}[result.met]
    return f"{result.name:<58} {result.value:>12,.2f} {result.unit:<8} {ratio:<36} {result.target:<12} {verdict}".rstrip()
