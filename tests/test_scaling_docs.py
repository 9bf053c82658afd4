"""docs/scaling.md says of each figure what the last run of `make bench` measured, and what follows from that."""

from __future__ import annotations

import pytest

from bench import scaling
from bench.scaling import DOCUMENT, RESULTS, SENTENCES


def test_the_figures_are_those_of_the_last_run() -> None:
    document = DOCUMENT.read_text()

    assert scaling.rewritten(document, scaling.figures(RESULTS.read_text())) == document


def test_another_run_changes_every_sentence() -> None:
    document, figures = DOCUMENT.read_text(), scaling.figures(RESULTS.read_text())

    changed = scaling.rewritten(document, {name: 3 * value + 7 for name, value in figures.items()})

    assert scaling.rewritten(changed, figures) == document
    differ = [one for one, other in zip(document.splitlines(), changed.splitlines(), strict=True) if one != other]
    assert len(differ) >= len(SENTENCES) - 3  # some lines have two


def test_a_sentence_that_is_gone_and_a_row_that_is_gone_are_noticed() -> None:
    document, results = DOCUMENT.read_text(), RESULTS.read_text()

    with pytest.raises(ValueError, match="stands 0 times"):
        scaling.rewritten(document.replace("Each phone costs", "A phone costs"), scaling.figures(results))
    with pytest.raises(KeyError, match="durable join"):
        scaling.figures(results.replace("| durable join", "| join"))
