"""The access log and the log as a whole: what a line holds, and what no line holds."""

from __future__ import annotations

import logging

import pytest
from websockets.asyncio.client import connect

from realtime.server.access import shown
from tests.server.running import http, running, until

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/j/" + SECRET, "/j/…"),
        ("/j/" + SECRET + "/", "/j/…/"),
        ("/v1/codes/" + SECRET + "/scan", "/v1/codes/…/scan"),
        ("/v1/stores/7h3k", "/v1/stores/7h3k"),
        ("/\r\nGET /forged 200\x1b[2J", "/\\u000d\\u000aGET /forged 200\\u001b[2J"),
        ("/\u202egnp.exe", "/\\u202egnp.exe"),
        ("/" + "x" * 300, "/" + "x" * 199 + "…"),
    ],
)
def test_a_path_is_shown_without_secrets_and_control_characters(path: str, line: str) -> None:
    assert shown(path) == line


async def test_no_line_of_the_log_has_a_query_string_or_a_join_code(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running() as server:
        for path in (f"/?token={SECRET}", f"/j/{SECRET}", f"/%6a/{SECRET}?x", f"/v1/codes/{SECRET}/scan?{SECRET}"):
            await http(server.port, f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
        async with connect(f"{server.url}?token={SECRET}") as client:
            await client.send(SECRET)
            await client.recv()
        await until(lambda: "WS /live 101" in caplog.text)
    ours = [record for record in caplog.records if not record.name.startswith("websockets")]  # the test's own client
    lines = [record.getMessage() for record in ours]
    assert [line.rsplit(" ", 2)[0] for line in lines if line.startswith("GET")] == [
        "GET / 200", "GET /j/… 200", "GET /j/… 200", "GET /v1/codes/…/scan 200",
    ]  # fmt: skip
    assert [line for line in lines if SECRET in line] == []


async def test_a_client_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server:
        for _ in range(30):
            assert b" 400 " in await http(server.port, b"NOT HTTP AT ALL\r\n\r\n")
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 1 <= len(warnings) <= 5
    assert all(record.levelno == logging.WARNING and not record.exc_info for record in warnings)
