"""A mail server for the tests of a file, empty for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notifiers.post import PostServer


@pytest.fixture(scope="module")
def post_office() -> Iterator[PostServer]:
    with PostServer() as server:
        yield server


@pytest.fixture
def post(post_office: PostServer) -> PostServer:
    post_office.forget()
    return post_office
