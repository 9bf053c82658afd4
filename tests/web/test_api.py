"""The HTTP API's own manners, on real use cases: who may ask, what a wrong request hears, what an answer carries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from realtime.web import ENDPOINTS
from realtime.web.endpoint import Auth
from tests.web.conftest import HOST, PASSWORD, House, Owner, join, new_owner

PARTS = {"queue": "A", "ticket": 1, "code": "a.b", "version": "v", "token_id": "0" * 12, "owner": "o", "any_job": "j", "webhook": "0" * 16}


def fill(path: str, store_id: str) -> str:
    return path.format(store_id=store_id, post="p", notifier="sms", kind="status", **PARTS)


async def test_a_store_is_opened_and_its_owner_is_signed_in(house: House) -> None:
    owner = await new_owner(house)

    snapshot = (await owner.client.get(owner.url)).json()

    assert snapshot["store"]["name"] == "Luigi's"
    assert [queue["id"] for queue in snapshot["queues"]] == ["A", "B"]
    assert snapshot["code"]["link"].startswith(f"{HOST}/j/")


async def test_a_customer_scans_joins_looks_and_leaves_with_a_cookie(house: House, owner: Owner) -> None:
    phone = await join(house, owner)

    own = (await phone.get("/v1/ticket")).json()
    left = await phone.delete("/v1/ticket")

    assert (own["label"], own["name"], own["ahead"]) == ("A01", "Ann", 0)
    assert left.status_code == 204
    assert (await phone.get("/v1/ticket")).json()["state"] == "left"


async def test_staff_call_serve_and_add(house: House, owner: Owner) -> None:
    await join(house, owner)

    called = await owner.client.post(f"{owner.url}/queues/A/call-next", json={"desk": "Desk 2"})
    served = await owner.client.patch(f"{owner.url}/tickets/{called.json()['id']}", json={"action": "serve"})
    added = await owner.client.post(f"{owner.url}/tickets", json={"name": "Bo", "queue": "B", "party": 4})
    link = await owner.client.get(f"{owner.url}/tickets/{added.json()['ticket']['id']}/link")

    assert (called.json()["label"], called.json()["desk"]) == ("A01", "Desk 2")
    assert served.json()["state"] == "serving"
    assert added.status_code == 201
    assert link.json()["link"].startswith(f"{HOST}/t#")


async def test_calling_with_the_same_key_calls_once(house: House, owner: Owner) -> None:
    await join(house, owner, "Ann")
    await join(house, owner, "Bo")
    url, key = f"{owner.url}/queues/A/call-next", {"Idempotency-Key": "5f0c1c1e"}

    first = await owner.client.post(url, json={}, headers=key)
    again = await owner.client.post(url, json={}, headers=key)

    assert first.json() == again.json()


async def test_calling_next_needs_no_body(house: House, owner: Owner) -> None:
    await join(house, owner)

    called = await owner.client.post(f"{owner.url}/queues/A/call-next")

    assert called.status_code == 200


async def test_several_tickets_live_in_one_cookie_and_a_link_brings_its_own_to_the_front(house: House, owner: Owner) -> None:
    phone = await house.client(Origin=HOST)
    code, key = await owner.code(), "k" * 20
    await phone.post(f"/v1/codes/{code}/scan", json={"key": key})
    parties = [{"name": "Ann", "queue": "A"}, {"name": "Bo", "queue": "B"}]
    joined = (await phone.post("/v1/tickets", json={"code": code, "key": key, "parties": parties})).json()["tickets"]

    first = (await phone.get("/v1/ticket")).json()["label"]
    traded = await phone.post("/v1/ticket/trade", json={"token": joined[1]["token"]})
    second = (await phone.get("/v1/ticket")).json()["label"]

    assert (first, traded.status_code, second) == ("A01", 204, "B01")


OWNERS = [each for each in ENDPOINTS if each.auth is Auth.OWNER]


async def test_another_owner_gets_nothing(house: House) -> None:
    owner, stranger = await new_owner(house), await new_owner(house, "maria@example.com")
    await join(house, owner)
    before = (await owner.client.get(owner.url)).content
    bodies = {"PUT": {"name": "Mine"}, "PATCH": {"action": "call"}, "POST": {"name": "x", "queue": "A"}}

    for endpoint in OWNERS:
        if "{store_id}" in endpoint.path:
            body = None if endpoint.request is None else {} if endpoint.path.endswith("call-next") else bodies[endpoint.method]
            answer = await stranger.client.request(endpoint.method, fill(endpoint.path, owner.store_id), json=body)
            assert answer.status_code in {403, 404}, endpoint

    assert (await owner.client.get(owner.url)).content == before


@pytest.mark.parametrize("token", ["", "x", "Bearer", "Bearer ", "Basic bHVpZ2k6eA==", "Bearer a.b.c"])
async def test_without_a_good_token_the_answer_is_401(house: House, token: str) -> None:
    client = await house.client()

    for endpoint in OWNERS:
        answer = await client.request(endpoint.method, fill(endpoint.path, "x"), headers={"Authorization": token} if token else {})

        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), endpoint
        assert answer.json()["code"] == "not_signed_in", endpoint


async def test_a_wrong_password_and_an_unknown_address_hear_the_same(house: House, owner: Owner) -> None:
    client = await house.client()

    wrong = await client.post("/v1/login", json={"email": owner.email, "password": "not this one"})
    unknown = await client.post("/v1/login", json={"email": "nobody@example.com", "password": "not this one"})

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert "set-cookie" not in wrong.headers


async def test_a_forgotten_password_hears_the_same_for_every_address(house: House, owner: Owner) -> None:
    client = await house.client()

    answers = [await client.post("/v1/password/forgot", json={"email": email}) for email in (owner.email, "nobody@example.com", "x")]

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}


async def test_signing_in_renewing_and_out(house: House, owner: Owner) -> None:
    browser = await house.client(Origin=HOST)

    signed_in = await browser.post("/v1/login", json={"email": owner.email.upper(), "password": PASSWORD})
    renewed = await browser.post("/v1/token")
    account = await browser.get("/v1/account", headers={"Authorization": f"Bearer {renewed.json()['access_token']}"})
    out = await browser.post("/v1/logout")
    after = await browser.post("/v1/token")

    assert [answer.status_code for answer in (signed_in, renewed, account, out, after)] == [200, 200, 200, 204, 401]
    assert account.json()["email"] == owner.email


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/v1/login", "POST"),
        ("POST", "/v1/account", "GET, HEAD"),
        ("TRACE", "/v1/stores/x", "DELETE, GET, HEAD, PUT"),
        ("DELETE", "/ticket", "GET, HEAD, POST"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(house: House, method: str, path: str, allowed: str) -> None:
    answer = await (await house.client()).request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/nothing", "not_found"), ("/v1", "not_found"), ("/v1/login/", "not_found"), ("/%2F", "not_found"), ("/v1/stores/a b", "store_not_found"),
        ("/v1/stores/x/tickets/0/link", "ticket_not_found"), ("/v1/stores/x/tickets/12x/link", "ticket_not_found"),
        ("/v1/stores/x/tickets/99999999999999999999/link", "ticket_not_found"), ("/v1/stores/x/queues/a/logo/v", "queue_not_found"),
        ("/v1/stores/x/queues/A%0A/logo/v", "queue_not_found"),
    ],
)  # fmt: skip
async def test_what_is_not_there_is_404_and_says_what(house: House, path: str, code: str) -> None:
    answer = await (await house.client()).get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_reading_changes_nothing(house: House, owner: Owner) -> None:
    before = (await owner.client.get(owner.url)).content
    code = await owner.code()

    for _ in range(20):
        for method in ("GET", "HEAD"):
            assert (await (await house.client()).request(method, f"/j/{code}")).status_code == 200
    await (await house.client()).get(f"/v1/codes/{code}/scan")

    assert (await owner.client.get(owner.url)).content == before


@pytest.mark.parametrize("name", ["", "../report.csv", "a b", "x" * 65, "report.csv%0d%0aX-Evil:1"])
async def test_a_name_that_no_file_can_have_is_refused(house: House, owner: Owner, name: str) -> None:
    answer = await owner.client.get(f"{owner.url}/report?file={name}")

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid_input", "file")


async def test_the_report_waits_until_it_is_made_and_says_so(house: House, owner: Owner) -> None:
    answer = await owner.client.get(f"{owner.url}/report")

    assert (answer.status_code, answer.json()["code"], answer.json()["retry"]) == (409, "not_reported", True)


async def test_a_queue_has_a_logo_that_browsers_may_keep(house: House, owner: Owner) -> None:
    png = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    edited = await owner.client.put(owner.url, json={"queues": [{"id": "A", "logo": png}]})

    answer = await (await house.client()).get(edited.json()["queues"][0]["logo"])

    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert "immutable" in answer.headers["cache-control"]
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_health_is_cheap_and_readiness_asks_the_database_once_a_second(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    check = house.context.storage.check

    async def count() -> None:
        nonlocal asked
        asked += 1
        await check()

    monkeypatch.setattr(house.context.storage, "check", count)
    client = await house.client()

    answers = [await client.get(path) for path in ("/healthz", "/readyz", "/readyz", "/healthz")]
    house.clock.ahead = 1.5
    await client.get("/readyz")

    assert [answer.json() for answer in answers] == [{"status": "ok"}, {"status": "ready"}, {"status": "ready"}, {"status": "ok"}]
    assert asked == 2


async def test_a_draining_server_is_alive_and_not_ready(house: House) -> None:
    house.serving.ready = False
    client = await house.client()

    alive, ready = await client.get("/healthz"), await client.get("/readyz")

    assert (alive.status_code, ready.status_code) == (200, 503)
    assert int(ready.headers["retry-after"]) > 0


async def test_what_nobody_foresaw_is_logged_once_and_told_without_details(
    house: House, owner: Owner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(house.context.reception, "scan", broken)
    code = await owner.code()

    answer = await (await house.client()).post(f"/v1/codes/{code}/scan", json={"key": "k" * 20})

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert b"secret" not in answer.content
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage() == "POST /v1/codes/{code}/scan failed"
    assert code not in caplog.text


async def test_a_body_is_read_as_far_as_it_may_be_and_no_further(house: House) -> None:
    client, sent = await house.client(), 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 8192
            yield b" " * 8192

    answer = await client.post("/v1/login", content=endless(), headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert sent <= house.context.settings.max_body_bytes + 3 * 8192


async def test_a_body_that_says_it_is_too_large_is_not_read(house: House) -> None:
    answer = await (await house.client()).post(
        "/v1/login", content=b"{}", headers={"Content-Type": "application/json", "Content-Length": "9" * 30}
    )

    assert answer.status_code == 413


async def test_an_answer_of_one_kind_has_one_type(owner: Owner) -> None:
    answer = await owner.client.get(owner.url)

    assert answer.headers["content-type"] == "application/json"
    assert isinstance(answer, httpx.Response)


# ---- bad input


STORE: dict[str, Any] = {"name": "Bar", "queues": [{"name": "Bar"}], "timezone": "UTC", "email": "new@example.com", "password": PASSWORD}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"), ({"name": "   "}, "name"), ({"name": "\u200b"}, "name"), ({"name": "a\x00b"}, "name"), ({"name": "a\r\nBcc: x@y.z"}, "name"), ({"name": "a\u202eb"}, "name"),
        ({"name": "x" * 81}, "name"), ({"name": 7}, "name"), ({"name": None}, "name"), ({"queues": []}, "queues"), ({"queues": [{"name": "x"}] * 27}, "queues"),
        ({"queues": [{"name": "Bar"}, {"name": "\x1b"}]}, "queues[1].name"), ({"queues": [{"name": "x", "color": 1}]}, "queues[0].color"), ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"), ({"accent": "red"}, "accent"), ({"almost_at": 51}, "almost_at"), ({"almost_at": 2.5}, "almost_at"), ({"email": ""}, "email"),
        ({"email": "a@b.c\r\nBcc: x@y.z"}, "email"), ({"email": "nobody"}, "email"), ({"password": "short"}, "password"), ({"password": "password123"}, "password"),
        ({"description": "x" * 1001}, "description"), ({"description": "\x08"}, "description"), ({"admin": True}, "admin"),
    ],
)  # fmt: skip
async def test_a_store_is_opened_whole_or_not_at_all(house: House, change: dict[str, Any], field: str) -> None:
    client = await house.client()

    refused = await client.post("/v1/stores", json={**STORE, **change})
    opened = await client.post("/v1/stores", json=STORE)

    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "invalid_input", field)
    assert refused.json()["detail"].endswith(".")
    assert "set-cookie" not in refused.headers
    assert opened.status_code == 201


@pytest.mark.parametrize(
    ("content", "type_", "status", "code"),
    [
        (b"", "application/json", 400, "bad_message"), (b"{", "application/json", 400, "bad_message"), (b"\xff", "application/json", 400, "bad_message"), (b"{}{}", "application/json", 422, "invalid_input"),
        (b"[" * 60_000, "application/json", 422, "invalid_input"), (b'{"email":' + b"[" * 50_000, "application/json", 422, "invalid_input"), (b'{"email":"\\ud800","password":""}', "application/json", 400, "bad_message"),
        (b"null", "application/json", 422, "invalid_input"), (b'{"email":1e999,"password":""}', "application/json", 422, "invalid_input"), (b"{}", "text/plain", 415, "wrong_content_type"),
        (b"{}", "application/x-www-form-urlencoded", 415, "wrong_content_type"), (b"{}", "", 415, "wrong_content_type"), (b"<a/>", "application/xml", 415, "wrong_content_type"),
        (b" " * 65_537, "application/json", 413, "too_large"), (b"{}", "application/json; charset=utf-8", 422, "invalid_input"),
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_read_hears_why(
    house: House, content: bytes, type_: str, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await (await house.client()).post("/v1/login", content=content, headers={"Content-Type": type_} if type_ else {})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_problem_says_what_rfc_9457_asks_for(house: House) -> None:
    answer = await (await house.client()).get("/v1/stores/x")

    assert json.loads(answer.content) == {
        "type": "/docs#not_signed_in", "title": "Unauthorized", "status": 401, "detail": "Please sign in again.", "code": "not_signed_in",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("move", "status"),
    [
        ({"action": "no_show"}, 409),
        ({"action": "done"}, 409),
        ({"action": "leave"}, 422),
        ({"action": "CALL"}, 422),
        ({}, 422),
        ({"action": "call", "desk": "a\nb"}, 422),
    ],
)
async def test_a_move_that_is_none_changes_nothing(house: House, owner: Owner, move: dict[str, str], status: int) -> None:
    phone = await join(house, owner)
    ticket = (await phone.get("/v1/ticket")).json()
    before = (await owner.client.get(owner.url)).content

    answer = await owner.client.patch(f"{owner.url}/tickets/{ticket['id']}", json=move)

    assert answer.status_code == status
    assert (await owner.client.get(owner.url)).content == before


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 129])
async def test_a_key_that_is_none_is_refused(house: House, owner: Owner, key: str) -> None:
    answer = await owner.client.post(f"{owner.url}/queues/A/call-next", json={}, headers=[(b"Idempotency-Key", key.encode("latin-1"))])

    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


async def test_a_closed_store_takes_nobody_and_closes_once(house: House, owner: Owner) -> None:
    code = await owner.code()

    closed = await owner.client.delete(owner.url)
    again = await owner.client.delete(owner.url)
    scanned = await (await house.client()).post(f"/v1/codes/{code}/scan", json={"key": "k" * 20})

    assert (closed.status_code, again.status_code) == (202, 409)
    assert scanned.json()["code"] in {"store_closed", "store_not_found"}
