"""What the tests of pages on the real server share."""

from __future__ import annotations

import pytest

from tests.conftest import Serve


@pytest.fixture
def url(server: Serve) -> str:
    """A server of its own."""
    return server().url
