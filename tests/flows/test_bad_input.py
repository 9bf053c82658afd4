"""Bad input over the wire: refused with its status and code, nothing changed, nothing in the log that looks like a fault of ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.conftest import Serve
from tests.flows.client import MANY, Owner, Screen, open_store, visitor
from tests.support.waiting import until_async

DEEP = "[" * 20_000 + "]" * 20_000


class Scene:
    """A store with a scanned code and a party in line, and how far it has come."""

    def __init__(self, owner: Owner, phone: httpx.AsyncClient, screen: Screen, code: str, key: str) -> None:
        self.owner = owner
        self.phone = phone
        self.screen = screen
        self.code = code
        self.key = key
        self.before = screen.view.seq

    def join(self, **party: Any) -> dict[str, Any]:
        return {"code": self.code, "key": self.key, "parties": [{"name": "Ann", "queue": "A", **party}]}

    async def unchanged(self) -> None:
        async with Screen(self.owner.server, self.owner.token, self.owner.topic) as fresh:
            assert fresh.view.seq == self.before


@pytest_asyncio.fixture
async def scene(server: Serve) -> AsyncIterator[Scene]:
    # The server's own end looks for tracebacks in its log.
    started = server(**MANY)
    async with open_store(started) as owner, visitor(started) as phone:
        await owner.walk_in("Somebody")
        code, key = await owner.code(), "k" * 32
        (await phone.post(f"/v1/codes/{code}/scan", json={"key": key})).raise_for_status()
        async with Screen(started, owner.token, owner.topic) as screen:
            scene = Scene(owner, phone, screen, code, key)
            yield scene
            await scene.unchanged()
            assert "ERROR" not in started.output(), started.output()


def problem(answer: httpx.Response, status: int, code: str, field: str | None = None, sent: object = None) -> None:
    assert answer.status_code == status, (sent, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["detail"].endswith((".", "?"))
    if field is not None:
        assert body.get("field") == field, (sent, body)


# ---- sizes --------------------------------------------------------------------------------------------------------


async def test_a_body_over_64_kib_is_refused_with_and_without_a_length(scene: Scene) -> None:
    large = json.dumps(scene.join(name="A" * 70_000)).encode()
    headers = {"Content-Type": "application/json"}

    problem(await scene.phone.post("/v1/tickets", content=large, headers=headers), 413, "too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(large), 5000):
            yield large[at : at + 5000]

    problem(await scene.phone.post("/v1/tickets", content=chunks(), headers=headers), 413, "too_large")


async def test_a_body_that_says_it_is_huge_is_refused_before_it_comes(scene: Scene) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.owner.server.port)
    head = "POST /v1/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()

    status = await asyncio.wait_for(reader.readline(), 10)

    assert b" 413 " in status
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_body_of_exactly_the_limit_is_read(scene: Scene) -> None:
    body = json.dumps({**scene.join(), "more": ""})
    body = body[:-2] + "x" * (65_536 - len(body)) + body[-2:]
    assert len(body) == 65_536

    answer = await scene.phone.post("/v1/tickets", content=body, headers={"Content-Type": "application/json"})

    problem(answer, 422, "invalid_input", "more")


# ---- JSON ---------------------------------------------------------------------------------------------------------


TEXTS: list[tuple[str, int, str]] = [
    ("", 400, "bad_message"),
    ("{", 400, "bad_message"),
    ('{"code": "a"}}', 422, "invalid_input"),
    ("{}}", 422, "invalid_input"),
    ("null", 422, "invalid_input"),
    ("[]", 422, "invalid_input"),
    ('"text"', 422, "invalid_input"),
    (DEEP, 422, "invalid_input"),
    ('{"code":' + DEEP + "}", 422, "invalid_input"),
    ('{"parties":' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}", 422, "invalid_input"),
    ('[{"id":1', 422, "invalid_input"),
    ('{"unknown":' + DEEP + "}", 422, "invalid_input"),
    ('{"code":"\\ud800","key":"k","parties":[{"name":"A","queue":"A"}]}', 400, "bad_message"),
    ('{"code":NaN}', 400, "bad_message"),
    ("\ufeff{}", 400, "bad_message"),
]


async def test_what_is_no_json_of_ours_is_refused(scene: Scene) -> None:
    for text, status, code in TEXTS:
        answer = await scene.phone.post("/v1/tickets", content=text.encode(), headers={"Content-Type": "application/json"})
        problem(answer, status, code, sent=text[:60])


async def test_bytes_that_are_not_utf_8_and_other_kinds_are_refused(scene: Scene) -> None:
    json_type = {"Content-Type": "application/json"}
    problem(await scene.phone.post("/v1/tickets", content=b'{"code":"\xff\xfe"}', headers=json_type), 400, "bad_message")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = await scene.phone.post("/v1/tickets", content=json.dumps(scene.join()), headers={"Content-Type": kind})
        problem(answer, 415, "wrong_content_type")


PARTIES: list[tuple[dict[str, Any], str]] = [
    ({"name": "A\x00nn"}, "name"),
    ({"name": "Ann\x1b[31m"}, "name"),
    ({"name": "Ann\r\nBcc: all@example.com"}, "name"),
    ({"name": "Ann\u2028x"}, "name"),
    ({"name": "Ann\u202egnp.exe"}, "name"),
    ({"name": "Ann\u2066x"}, "name"),
    ({"name": "A\u0085nn"}, "name"),
    ({"name": "\u200b\u200b"}, "name"),
    ({"name": "   "}, "name"),
    ({"name": ""}, "name"),
    ({"name": "A" * 81}, "name"),
    ({"name": 7}, "name"),
    ({"name": None}, "name"),
    ({"name": ["Ann"]}, "name"),
    ({"email": "ann@example.com\r\nBcc: all@example.com"}, "email"),
    ({"email": "ann@example.com\nX: y"}, "email"),
    ({"email": "ann@example.com\x00"}, "email"),
    ({"email": "a@b@c.example"}, "email"),
    ({"email": "Ann <ann@example.com>"}, "email"),
    ({"email": "ann@example.com,all@example.com"}, "email"),
    ({"email": "ann@localhost"}, "email"),
    ({"email": "ann"}, "email"),
    ({"email": "a" * 300 + "@example.com"}, "email"),
    ({"phone": "call me"}, "phone"),
    ({"phone": "+49"}, "phone"),
    ({"phone": "0"}, "phone"),
    ({"phone": "+1 555"}, "phone"),
    ({"phone": "015112345678"}, "phone"),
    ({"phone": "+4915112345678\r\nX: y"}, "phone"),
    ({"phone": "+49151123456789012345"}, "phone"),
    ({"phone": "\u0664\u0669" * 16 + "1"}, "phone"),
    ({"phone": 4915112345678}, "phone"),
    ({"party": 0}, "party"),
    ({"party": -1}, "party"),
    ({"party": 100}, "party"),
    ({"party": 1.5}, "party"),
    ({"party": "2"}, "party"),
    ({"party": True}, "party"),
    ({"party": 10**30}, "party"),
    ({"queue": "a"}, "queue"),
    ({"queue": "AA"}, "queue"),
    ({"queue": ""}, "queue"),
    ({"vip": True}, "vip"),
    ({"state": "serving"}, "state"),
    ({"id": 1}, "id"),
]


async def test_every_field_of_a_party_is_checked(scene: Scene) -> None:
    for party, field in PARTIES:
        problem(await scene.phone.post("/v1/tickets", json=scene.join(**party)), 422, "invalid_input", f"parties[0].{field}", party)
        # The staff have no other rules than the customers.
        walk_in = {"name": "Ann", "queue": "A", **party}
        problem(await scene.owner.http.post(f"{scene.owner.path}/tickets", json=walk_in), 422, "invalid_input", field, party)


async def test_of_five_parties_one_that_is_wrong_refuses_all(scene: Scene) -> None:
    body = scene.join()
    good, bad = {"name": "Ann", "queue": "A"}, {"name": "Bo", "queue": "A", "email": "x\r\n@y.example"}

    problem(await scene.phone.post("/v1/tickets", json={**body, "parties": [good] * 4 + [bad]}), 422, "invalid_input", "parties[4].email")
    unknown = await scene.phone.post("/v1/tickets", json={**body, "parties": [good, {**good, "queue": "Z"}]})
    problem(unknown, 404, "queue_not_found", "parties[1].queue")
    problem(await scene.phone.post("/v1/tickets", json={**body, "parties": [good] * 6}), 422, "invalid_input", "parties")
    problem(await scene.phone.post("/v1/tickets", json={**body, "parties": []}), 422, "invalid_input", "parties")


EDITS: list[tuple[dict[str, Any], str | None]] = [
    ({"name": "Luigi\r\nBcc: x@example.com"}, "name"),
    ({"name": ""}, "name"),
    ({"description": "a\x00b"}, "description"),
    ({"description": "a" * 1001}, "description"),
    ({"accent": "red"}, "accent"),
    ({"accent": "#12345g"}, "accent"),
    ({"almost_at": 51}, "almost_at"),
    ({"almost_at": -1}, "almost_at"),
    ({"board_code": "yes"}, "board_code"),
    ({"timezone": "UTC"}, "timezone"),
    ({"queues": [{"id": "A", "waiting_text": "\u202e"}]}, None),
    ({"queues": [{"id": "A", "logo": "data:image/svg+xml;base64,PHN2Zz4="}]}, None),
    ({"queues": [{"id": "A", "logo": "data:image/png;base64,PHN2Zz4="}]}, None),
    ({"queues": [{"id": "A", "logo": "https://evil.example/x.png"}]}, None),
    ({"queues": [{"id": "A", "paused": 1}]}, None),
    ({"add_queues": [{"name": "\x07"}]}, None),
    ({"name": "Good", "queues": [{"id": "A", "name": ""}]}, None),
]


async def test_every_field_of_an_edit_is_checked_and_none_is_done_by_halves(scene: Scene) -> None:
    for body, field in EDITS:
        problem(await scene.owner.http.put(scene.owner.path, json=body), 422, "invalid_input", field, body)


# ---- requests -----------------------------------------------------------------------------------------------------


async def test_strange_paths_methods_and_headers_are_refused(scene: Scene) -> None:
    http, path = scene.owner.http, scene.owner.path
    for strange in ("0", "-1", "1e3", "999999999999999999999", "1%0a", "%00", "..", "٣"):
        answer = await http.patch(f"{path}/tickets/{strange}", json={"action": "serve"})
        assert answer.status_code in (404, 405), (strange, answer.text)
    for queue in ("AA", "a", "%00", "A%0a", "'; drop table tickets; --"):
        assert (await http.post(f"{path}/queues/{queue}/call-next", json={})).status_code == 404
    assert (await http.request("TRACE", path)).status_code in (404, 405)
    assert (await http.request("NONSENSE", path)).status_code in (400, 404, 405)
    for key in ("a" * 129, "späť", "a b"):
        answer = await http.post(f"{path}/tickets", json={"name": "Ann", "queue": "A"}, headers={b"Idempotency-Key": key.encode()})
        problem(answer, 422, "invalid_input", "Idempotency-Key")
    for token in ("", "x", "Bearer", "Basic abc", "Bearer a.b.c", "Bearer " + "e" * 6000):
        answer = await http.get(path, headers={"Authorization": token})
        problem(answer, 401, "not_signed_in")
    for action in ("leave", "explode", "", "Call"):
        problem(await http.patch(f"{path}/tickets/2", json={"action": action}), 422, "invalid_input", "action")


NO_HTTP = [
    b"GARBAGE\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST /v1/tickets HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
    b"POST /v1/tickets HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 2_000_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


async def test_what_is_no_http_ends_its_own_connection_only(scene: Scene) -> None:
    for raw in NO_HTTP:
        reader, writer = await asyncio.open_connection("127.0.0.1", scene.owner.server.port)
        with contextlib.suppress(OSError):
            writer.write(raw)
            await writer.drain()
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), 15)
            assert not answer or answer.split(b" ", 2)[1].startswith(b"4"), (raw[:60], answer[:200])
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        assert (await scene.owner.http.get("/healthz")).status_code == 200


# ---- the socket ---------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def signed_in(scene: Scene) -> AsyncIterator[ClientConnection]:
    async with connect(
        scene.owner.server.live_url, subprotocols=[Subprotocol("nowserving.v1")], compression=None, close_timeout=5, proxy=None
    ) as socket:
        await socket.send(json.dumps({"id": 1, "authenticate": {"token": scene.owner.token}}))
        assert "ok" in json.loads(await socket.recv())
        yield socket


async def close_code(socket: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(15):
            while True:
                await socket.recv()
    return socket.close_code


FRAMES: list[tuple[str | bytes, int]] = [
    (json.dumps({"id": 2, "call_next": {"store_id": "x" * 5000, "queue": "A"}}), 1009),
    ("[" * 2000 + "]" * 2000, 4400),
    ("not json", 4400),
    ("[]", 4400),
    ('{"id":2}', 4400),
    ('{"id":2,"leave":{},"authenticate":{"token":"x"}}', 4400),
    ('{"id":-1,"leave":{}}', 4400),
    ('{"id":"2","leave":{}}', 4400),
    ('{"id":2,"destroy":{}}', 4400),
    (b"binary", 1003),
]


async def test_a_message_that_cannot_be_read_ends_its_socket_only(scene: Scene) -> None:
    for frame, code in FRAMES:
        async with signed_in(scene) as socket:
            await socket.send(frame)
            assert await close_code(socket) == code, frame[:60]
    assert scene.screen.connected


async def test_a_message_in_fragments_over_4_kib_is_too_large_as_well(scene: Scene) -> None:
    async with signed_in(scene) as socket:
        with contextlib.suppress(ConnectionClosed):
            await socket.send(["x" * 1000 for _ in range(6)])
        assert await close_code(socket) == 1009


async def test_text_that_is_not_utf_8_ends_its_socket(scene: Scene) -> None:
    async with signed_in(scene) as socket:
        await socket.send(b"\xff\xfe", text=True)
        assert await close_code(socket) == 1007


async def test_commands_with_wrong_values_are_refused_and_the_socket_goes_on(scene: Scene) -> None:
    store_id = scene.owner.store_id
    cases: list[tuple[dict[str, Any], str]] = [
        ({"walk_in": {"store_id": store_id, "name": "A\x00", "queue": "A"}}, "invalid_input"),
        ({"walk_in": {"store_id": store_id, "name": "Ann", "queue": "A", "email": "a\r\n@b.example"}}, "invalid_input"),
        ({"walk_in": {"store_id": store_id, "name": "Ann", "queue": "A", "vip": 1}}, "invalid_input"),
        ({"call_next": {"store_id": store_id, "queue": "Z"}}, "queue_not_found"),
        ({"call_next": {"store_id": "nostore", "queue": "A"}}, "store_not_found"),
        ({"call_next": {"store_id": store_id, "queue": "A", "desk": "\u202e"}}, "invalid_input"),
        ({"change_ticket": {"store_id": store_id, "ticket": 2**53, "action": "serve"}}, "ticket_not_found"),
        ({"change_ticket": {"store_id": store_id, "ticket": 1, "action": "leave"}}, "invalid_input"),
        ({"edit_store": {"store_id": store_id, "accent": "red"}}, "invalid_input"),
        ({"leave": {}}, "not_allowed"),
    ]
    for verb, code in cases:
        reply = await scene.screen.say(**verb)
        assert reply["error"]["code"] == code, (verb, reply)
    assert scene.screen.connected


async def test_a_flood_of_messages_ends_its_socket_only(scene: Scene) -> None:
    async with signed_in(scene) as socket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(300):
                await socket.send("{}")
        assert await close_code(socket) == 4400
    await until_async(lambda: scene.screen.connected)


async def test_one_cannot_speak_before_signing_in(scene: Scene) -> None:
    async with connect(scene.owner.server.live_url, subprotocols=[Subprotocol("nowserving.v1")], compression=None, proxy=None) as socket:
        await socket.send(json.dumps({"id": 1, "call_next": {"store_id": scene.owner.store_id, "queue": "A"}}))
        assert await close_code(socket) == 4401
