"""A server that says what a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.client.stub import Stub, stub_server


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with stub_server() as running:
        yield running
