"""Measured figures, as every file in bench/ returns them and the runner prints them."""

from __future__ import annotations

from collections.abc import Sequence
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


class Table(NamedTuple):
    """Figures that only say something beside each other. A file may return some among its results."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def line(result: Result | Table) -> str:
    """The row as text; a table has several lines."""
    if isinstance(result, Table):
        return _lines(result)
    ratio = f"{result.ratio:.2f} x {result.against}" if result.ratio is not None else result.against
    verdict = {True: "met", False: "NOT MET", None: ""}[result.met]
    return f"{result.name:<58} {result.value:>12,.2f} {result.unit:<8} {ratio:<36} {result.target:<12} {verdict}".rstrip()


def markdown(table: Table) -> str:
    """The table for a document."""
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    return f"\n{table.title}\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _lines(table: Table) -> str:
    rows = [table.columns, *table.rows]
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    text = "\n".join(
        "  ".join(cell.ljust(width) if not at else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    )
    return f"{table.title}\n{text}"
