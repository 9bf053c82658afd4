"""Behind a proxy that ends TLS: what it says of the visitor is believed if it is trusted, and is ignored otherwise."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.conftest import Serve
from tests.flows.client import PASSWORD, letters, link
from tests.support.mail import MailServer
from tests.support.process import ServerProcess

FORWARDED = {
    "Host": "queue.example.com",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
}
"""What a proxy adds, and a header that it hands on without having looked at it."""
STORE = {
    "name": "Luigi's",
    "queues": [{"name": "Table for two"}],
    "email": "luigi@example.com",
    "password": PASSWORD,
    "board_code": True,
}


def settings(mails: MailServer, **more: Any) -> dict[str, Any]:
    return {"smtp_url": mails.url, "smtp_allow_plain": True, "mail_from": "queue@example.org", **more}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Like a proxy: it keeps no cookies."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        yield http


async def opened(http: httpx.AsyncClient, server: ServerProcess, headers: dict[str, str]) -> tuple[httpx.Response, dict[str, Any], str]:
    answer = await http.post(f"{server.url}/v1/stores", json=STORE, headers=headers)
    answer.raise_for_status()
    token = answer.json()["tokens"]["access_token"]
    path = f"{server.url}/v1/stores/{answer.json()['store_id']}"
    snapshot = await http.get(path, headers={**headers, "Authorization": f"Bearer {token}"})
    return answer, snapshot.raise_for_status().json(), token


async def joined(http: httpx.AsyncClient, server: ServerProcess, code: str, headers: dict[str, str]) -> httpx.Response:
    key = "k" * 32
    (await http.post(f"{server.url}/v1/codes/{code}/scan", json={"key": key}, headers=headers)).raise_for_status()
    body = {"code": code, "key": key, "parties": [{"name": "Ann", "queue": "A", "email": "ann@example.net"}]}
    return (await http.post(f"{server.url}/v1/tickets", json=body, headers=headers)).raise_for_status()


async def test_a_trusted_proxy_is_believed(server: Serve, http: httpx.AsyncClient, smtp_sink: MailServer) -> None:
    started = server(**settings(smtp_sink))

    answer, snapshot, _ = await opened(http, started, FORWARDED)
    assert snapshot["code"]["link"].startswith("https://queue.example.com/j/")
    assert snapshot["store"]["board_link"].startswith("https://queue.example.com/board#")
    ticket = await joined(http, started, snapshot["code"]["link"].rpartition("/")[2], FORWARDED)

    cookies = answer.headers.get_list("set-cookie") + ticket.headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["__Host-nowserving_session", "__Host-nowserving_ticket"]
    for cookie in cookies:
        parts = {part.strip().lower() for part in cookie.split(";")}
        assert {"secure", "httponly", "path=/"} <= parts
        assert not any(part.startswith("domain") for part in parts)
    assert ticket.json()["tickets"][0]["link"].startswith("https://queue.example.com/t#")
    for mail in (*await letters(smtp_sink, "luigi@example.com"), *await letters(smtp_sink, "ann@example.net")):
        assert link(mail).startswith("https://queue.example.com/")
        assert "evil" not in mail.text + mail.html
    page = await http.get(started.url, headers=FORWARDED)
    assert page.headers["strict-transport-security"].startswith("max-age=31536000")
    assert "max-age" in answer.headers["strict-transport-security"]


async def test_anybody_else_is_not(server: Serve, http: httpx.AsyncClient, smtp_sink: MailServer) -> None:
    started = server(**settings(smtp_sink, trusted_proxies=["10.11.12.13"]))

    answer, snapshot, _ = await opened(http, started, {**FORWARDED, "Host": "evil.example"})
    assert snapshot["code"]["link"].startswith(f"{started.url}/j/")
    assert snapshot["store"]["board_link"].startswith(f"{started.url}/board#")
    ticket = await joined(http, started, snapshot["code"]["link"].rpartition("/")[2], {**FORWARDED, "Host": "evil.example"})

    cookies = answer.headers.get_list("set-cookie") + ticket.headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["nowserving_session", "nowserving_ticket"]
    assert not any("secure" in cookie.lower() for cookie in cookies)
    for mail in (*await letters(smtp_sink, "luigi@example.com"), *await letters(smtp_sink, "ann@example.net")):
        assert link(mail).startswith(f"{started.url}/")
        assert "evil" not in mail.text + mail.html
        assert "queue.example.com" not in mail.text + mail.html
    page = await http.get(started.url, headers=FORWARDED)
    assert "strict-transport-security" not in page.headers


@pytest.mark.parametrize("trusted", [True, False])
async def test_limits_count_the_visitor_a_trusted_proxy_names_and_nobody_elses_word(
    server: Serve, http: httpx.AsyncClient, smtp_sink: MailServer, trusted: bool
) -> None:
    proxies = {} if trusted else {"trusted_proxies": ["10.11.12.13"]}
    started = server(**settings(smtp_sink, sign_in_tries_per_minute=3, **proxies))

    statuses = []
    for number in range(20):
        headers = {**FORWARDED, "X-Forwarded-For": f"203.0.113.{number + 1}"}
        body = {"email": "luigi@example.com", "password": "wrong horses"}
        statuses.append((await http.post(f"{started.url}/v1/login", json=body, headers=headers)).status_code)

    assert set(statuses) == ({401} if trusted else {401, 429})


async def test_a_public_url_wins_over_what_the_proxy_says(server: Serve, http: httpx.AsyncClient, smtp_sink: MailServer) -> None:
    started = server(**settings(smtp_sink, public_url="https://walk.example.org"))

    answer, snapshot, _ = await opened(http, started, {**FORWARDED, "Host": "evil.example"})

    assert snapshot["code"]["link"].startswith("https://walk.example.org/j/")
    assert "__Host-nowserving_session" in answer.headers["set-cookie"]
    (mail,) = await letters(smtp_sink, "luigi@example.com")
    assert link(mail).startswith("https://walk.example.org/confirm#")


async def test_sockets_through_the_proxy_are_told_https_links_and_only_our_origin_opens_one(
    server: Serve, http: httpx.AsyncClient, smtp_sink: MailServer
) -> None:
    started = server(**settings(smtp_sink))
    _, snapshot, token = await opened(http, started, FORWARDED)
    arguments: dict[str, Any] = {
        "subprotocols": [Subprotocol("nowserving.v1")],
        "compression": None,
        "proxy": None,
        "host": "127.0.0.1",
        "port": started.port,
        "additional_headers": {name: value for name, value in FORWARDED.items() if name != "Host"},
    }
    address = "ws://queue.example.com/live"

    async with connect(address, origin=Origin("https://queue.example.com"), **arguments) as socket:
        await socket.send(json.dumps({"id": 1, "authenticate": {"token": token}}))
        assert "ok" in json.loads(await socket.recv())
        await socket.send(json.dumps({"id": 2, "subscribe": {"topic": f"store/{snapshot['store']['id']}/owner"}}))
        told = json.loads(await socket.recv())["ok"]["snapshot"]
        assert told["code"]["link"].startswith("https://queue.example.com/j/")
    for origin in (started.url, "https://evil.example", "http://queue.example.com"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(address, origin=Origin(origin), **arguments)
        assert refused.value.response.status_code == 403
