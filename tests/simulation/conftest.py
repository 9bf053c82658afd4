"""In a simulation the database is at hand at once, and the loop has nothing else to do."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def blocking_is_an_error() -> None:
    """Time that passes here is made up."""
