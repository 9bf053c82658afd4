"""Where the client gets its token and the server's address from, and when it asks for a fresh one."""

from __future__ import annotations

import pytest

from realtime.client.live import live_url
from realtime.errors import Dropped, InvalidInput, NotSignedIn, NowServingError
from tests.client.stub import PUBLIC, Stub, client


async def test_a_function_is_asked_for_a_fresh_token_each_time_and_once_more_when_one_is_refused(stub: Stub) -> None:
    numbers = iter(range(9))

    async def token() -> str:
        return f"token {next(numbers)}"

    refusal = {"code": "not_signed_in", "message": "Please sign in again.", "retry": False, "field": None}
    stub.refusals = [refusal]
    async with client(stub, token) as listening:
        await stub.end(4000)
        await listening.when(lambda: not listening.connected)
        await listening.when(lambda: listening.caught_up)
        assert stub.tokens == ["token 0", "token 1", "token 2"]

        stub.refusals = [refusal]
        await stub.end(4401)
        with pytest.raises(NotSignedIn):
            await listening.until(PUBLIC, lambda view: False)


async def test_a_token_that_cannot_be_had_ends_it_or_is_asked_for_again(stub: Stub) -> None:
    answers: list[NowServingError | OSError | str] = [OSError("no network"), Dropped("no answer"), "at last"]

    def token() -> str:
        if isinstance(answer := answers.pop(0), str):
            return answer
        raise answer

    async with client(stub, token):
        assert stub.tokens == ["at last"]

    answers.append(NotSignedIn("The password has changed."))
    with pytest.raises(NotSignedIn, match="password"):
        async with client(stub, token):
            pytest.fail("there is no token")


async def test_a_token_function_that_breaks_is_not_hidden(stub: Stub) -> None:
    def token() -> str:
        raise KeyError("no such file")

    with pytest.raises(KeyError, match="no such file"):
        async with client(stub, token):
            pytest.fail("there is no token")


async def test_a_sign_in_is_renewed_on_the_same_socket_before_it_ends(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.client.live.RENEW_EARLY_SECONDS", 0.05)
    numbers = iter(range(99))
    stub.expires_ms = 1
    async with client(stub, lambda: f"token {next(numbers)}"):
        await stub.until(lambda: len(stub.tokens) == 3)

    assert len(stub.sockets) == 1


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("https://a.example", "wss://a.example/live"),
        ("http://localhost:8000/", "ws://localhost:8000/live"),
        ("wss://a.example/live", "wss://a.example/live"),
        ("https://a.example/waitlist", "wss://a.example/waitlist/live"),
    ],
)
def test_the_socket_is_at_the_servers_address(url: str, socket: str) -> None:
    assert live_url(url) == socket


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(InvalidInput, match="http"):
        live_url("a.example")
