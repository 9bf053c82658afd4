"""What the tests of pages on the real server share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.standing import StandingServers


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingServers]:
    servers = StandingServers(lambda: tmp_path_factory.mktemp("standing"))
    yield servers
    servers.close()


@pytest.fixture
def url(standing: StandingServers) -> Iterator[str]:
    """A server on which nobody has an account."""
    with standing.lent() as server:
        yield server.url
