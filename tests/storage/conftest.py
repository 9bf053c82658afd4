"""What tests that connect to Postgres by themselves have in common."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from blockbuster import BlockBuster


@pytest.fixture
def certificates_may_be_looked_for(blocking_is_an_error: BlockBuster) -> None:
    """asyncpg looks for certificates whenever it connects."""
    for blocking in blocking_is_an_error.functions.values():
        blocking.can_block_in("asyncpg/connect_utils.py", {"_parse_connect_dsn_and_args"})


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()
