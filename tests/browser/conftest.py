"""What the tests of pages share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.browser.customer_stub import Stub, serving
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


@pytest_asyncio.fixture(loop_scope="session")
async def address(stub: Stub) -> AsyncIterator[str]:
    """Where the stub of the module is served."""
    async with serving(stub) as address:
        yield address
