"""Webhooks over HTTP: made, edited, tried out, looked at, posted again; and what is refused."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sys
from importlib import util
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook as Verifier

from tests.support.sink import Answer, HttpSink, Request
from tests.support.waiting import until_async
from tests.web.conftest import Open, Owner, join, new_owner


@pytest.fixture
async def mine(open_house: Open, http_sink: HttpSink) -> Owner:
    return await new_owner(await open_house(outbound_networks=("127.0.0.0/8",)))


async def made(owner: Owner, url: str, **more: Any) -> tuple[str, str]:
    """The path of a new webhook, and its secret."""
    answer = await owner.client.post("/v1/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    return f"/v1/webhooks/{answer.json()['webhook']['id']}", answer.json()["secret"]


async def deliveries(owner: Owner, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await owner.client.get(f"{path}/deliveries", params=query)).raise_for_status().json()["deliveries"]
    return found


async def settled(owner: Owner, path: str, id_: str) -> dict[str, Any]:
    async def is_so() -> dict[str, Any] | None:
        found: dict[str, Any] = (await owner.client.get(f"{path}/deliveries/{id_}")).raise_for_status().json()
        return found if found["delivery"]["state"] not in ("waiting", "sending") else None

    done: dict[str, Any] = await until_async(is_so, what="the delivery's end")
    return done


async def test_from_a_webhook_to_a_verified_event(mine: Owner, http_sink: HttpSink) -> None:
    path, secret = await made(mine, f"{http_sink.url}/in")

    await mine.client.post(f"{mine.url}/tickets", json={"name": "Ann Bloom", "queue": "A", "phone": "+4915112345678"})

    (request,) = await asyncio.to_thread(http_sink.wait_for, 1)
    said = Verifier(secret).verify(request.body, request.headers)
    assert (said["type"], said["data"]["ticket"]["label"], said["data"]["store_id"]) == ("ticket.joined", "A01", mine.store_id)
    assert b"Ann" not in request.body
    assert b"+49" not in request.body
    (delivery,) = await deliveries(mine, path)
    whole = await settled(mine, path, delivery["id"])
    assert whole["delivery"] | {"created_ms": 0, "ended_ms": 0} == {
        "id": request.headers["webhook-id"], "type": "ticket.joined", "state": "sent", "attempts": 1, "outcome": "sent", "created_ms": 0,
        "next_ms": 0, "ended_ms": 0,
    }  # fmt: skip
    assert whole["payload"] == said
    assert [attempt["number"] for attempt in whole["attempts"]] == [1]


async def test_a_guests_join_is_posted_too(open_house: Open, http_sink: HttpSink) -> None:
    house = await open_house(outbound_networks=("127.0.0.0/8",))
    owner = await new_owner(house)
    await made(owner, http_sink.url, events=["ticket.joined"])
    await join(house, owner)
    (request,) = await asyncio.to_thread(http_sink.wait_for, 1)
    assert request.json()["type"] == "ticket.joined"


async def test_a_webhook_is_seen_changed_and_deleted(mine: Owner, http_sink: HttpSink) -> None:
    path, _ = await made(mine, f"{http_sink.url}/in")
    ask = mine.client
    first = (await ask.get(path)).json()
    assert (first["name"], first["state"], first["events"], first["since_ms"]) == ("127.0.0.1", "active", [], 0)
    assert "secret" not in first
    assert (await ask.get("/v1/webhooks")).json() == [first]

    changed = await ask.patch(path, json={"name": "Kitchen", "events": ["ticket.called", "ticket.called"], "on": False})
    assert changed.json() == first | {
        "name": "Kitchen", "events": ["ticket.called"], "state": "off", "since_ms": changed.json()["since_ms"],
    }  # fmt: skip
    assert (await ask.patch(path, json={"name": "", "on": True})).json()["name"] == "127.0.0.1"

    assert (await ask.delete(path)).status_code == 204
    for method, end in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/secret"), ("POST", "/test"), ("GET", "/deliveries")):
        answer = await ask.request(method, path + end, json={} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_secret_is_shown_to_the_owner_and_exchanged(mine: Owner, http_sink: HttpSink) -> None:
    path, secret = await made(mine, http_sink.url)
    assert (await mine.client.get(f"{path}/secret")).json() == {
        "signing": "hmac", "secret": secret, "public_key": "", "old_secret": "", "old_public_key": "", "old_secret_until_ms": 0,
    }  # fmt: skip

    after = (await mine.client.post(f"{path}/rotate")).json()

    assert after["secret"] != after["old_secret"] == secret
    assert after["old_secret_until_ms"] > 0
    assert (await mine.client.get(path)).json()["old_secret_until_ms"] == after["old_secret_until_ms"]
    await mine.client.post(f"{path}/test")
    (request,) = await asyncio.to_thread(http_sink.wait_for, 1)
    for each in (after["secret"], secret):
        Verifier(each).verify(request.body, request.headers)


def verified(public_key: str, request: Request) -> bool:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    for given in request.headers["webhook-signature"].split():
        with contextlib.suppress(InvalidSignature):
            if given.startswith("v1a,"):
                key.verify(base64.b64decode(given.removeprefix("v1a,")), signed)
                return True
    return False


async def test_a_key_pair_signs_and_its_private_half_never_leaves(mine: Owner, http_sink: HttpSink) -> None:
    answer = await mine.client.post("/v1/webhooks", json={"url": http_sink.url, "signing": "ed25519"})
    assert (answer.status_code, answer.json()["secret"], answer.json()["webhook"]["signing"]) == (201, "", "ed25519")
    key, path = answer.json()["public_key"], f"/v1/webhooks/{answer.json()['webhook']['id']}"
    shown = await mine.client.get(f"{path}/secret")
    assert shown.json() == {
        "signing": "ed25519", "secret": "", "public_key": key, "old_secret": "", "old_public_key": "", "old_secret_until_ms": 0,
    }  # fmt: skip

    await mine.client.post(f"{path}/test")
    (request,) = await asyncio.to_thread(http_sink.wait_for, 1)
    assert verified(key, request)
    said = [answer.text, shown.text, (await mine.client.get("/v1/webhooks")).text, (await mine.client.post(f"{path}/rotate")).text]
    assert not any("whsk_" in text for text in said)
    assert (await mine.client.get(f"{path}/secret")).json()["old_public_key"] == key


async def test_a_webhook_goes_over_to_the_other_signature_within_a_day(mine: Owner, http_sink: HttpSink) -> None:
    path, secret = await made(mine, http_sink.url)

    pair = (await mine.client.post(f"{path}/rotate", json={"signing": "ed25519"})).json()
    assert (pair["signing"], pair["secret"], pair["old_secret"], pair["old_public_key"]) == ("ed25519", "", secret, "")
    assert (await mine.client.get(path)).json()["signing"] == "ed25519"
    await mine.client.post(f"{path}/test")
    (request,) = await asyncio.to_thread(http_sink.wait_for, 1)
    Verifier(secret).verify(request.body, request.headers)
    assert verified(pair["public_key"], request)

    back = (await mine.client.post(f"{path}/rotate", json={"signing": "hmac"})).json()
    assert (back["signing"], back["old_public_key"]) == ("hmac", pair["public_key"])
    assert back["secret"] not in ("", secret)
    assert (await mine.client.post(f"{path}/rotate", json={"signing": "rsa"})).status_code == 422


async def test_where_the_library_is_missing_a_key_pair_is_refused_with_what_to_do(
    mine: Owner, http_sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, secret = await made(mine, http_sink.url)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)

    for ask, body in (("/v1/webhooks", {"url": http_sink.url, "signing": "ed25519"}), (f"{path}/rotate", {"signing": "ed25519"})):
        answer = await mine.client.post(ask, json=body)
        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid_input", "signing")
        assert "pip install 'nowserving[ed25519]'" in answer.json()["detail"]

    assert len((await mine.client.get("/v1/webhooks")).json()) == 1
    assert (await mine.client.get(f"{path}/secret")).json()["secret"] == secret
    exchanged = await mine.client.post(f"{path}/rotate")
    assert (exchanged.status_code, exchanged.json()["old_secret"]) == (200, secret), "what needs no library goes on"


async def test_the_account_page_offers_key_pairs_only_where_they_can_be_made(open_house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "data-ed25519" in (await (await (await open_house()).client()).get("/account")).text
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "cryptography" else find(name, *rest))

    assert "data-ed25519" not in (await (await (await open_house()).client()).get("/account")).text


async def test_a_test_says_how_it_went(mine: Owner, http_sink: HttpSink) -> None:
    http_sink.answers += [Answer(500)]
    path, _ = await made(mine, http_sink.url)
    for state, outcome in (("failed", "It answered 500."), ("sent", "sent")):
        answer = await mine.client.post(f"{path}/test")
        assert (answer.status_code, answer.json()["type"]) == (202, "ping")
        whole = await settled(mine, path, answer.json()["id"])
        assert (whole["delivery"]["state"], whole["delivery"]["outcome"]) == (state, outcome)
    assert (await mine.client.get(path)).json()["state"] == "active"


async def test_what_failed_is_posted_again_one_by_one_or_all(mine: Owner, http_sink: HttpSink) -> None:
    http_sink.answers += [Answer(410)]
    path, secret = await made(mine, http_sink.url)
    await mine.client.post(f"{mine.url}/tickets", json={"name": "Ann", "queue": "A"})
    first = (await asyncio.to_thread(http_sink.wait_for, 1))[0].headers["webhook-id"]
    await settled(mine, path, first)
    off = (await mine.client.get(path)).json()
    assert (off["state"], off["why"]) == ("off", "It answered 410: it wants no more.")
    refused = await mine.client.post(f"{path}/deliveries/{first}/replay")
    assert (refused.status_code, refused.json()["detail"]) == (409, "This webhook is off. Turn it on, then post again.")
    assert (await mine.client.post(f"{path}/replay", json={})).status_code == 409

    await mine.client.patch(path, json={"on": True})
    again = await mine.client.post(f"{path}/deliveries/{first}/replay")
    assert (again.status_code, again.json()["id"]) == (202, first)
    requests = await asyncio.to_thread(http_sink.wait_for, 2)
    await settled(mine, path, first)
    assert requests[1].headers["webhook-id"] == first
    Verifier(secret).verify(requests[1].body, requests[1].headers)

    assert (await mine.client.post(f"{path}/replay")).json() == {"replayed": 0, "next_ms": 0}
    assert (await mine.client.post(f"{path}/replay", json={"only_failed": False})).json() == {"replayed": 1, "next_ms": 0}
    await asyncio.to_thread(http_sink.wait_for, 3)


async def test_a_list_comes_in_pages_and_by_state(mine: Owner, http_sink: HttpSink) -> None:
    path, _ = await made(mine, http_sink.url)
    for name in ("Ann", "Bo", "Cy"):
        await mine.client.post(f"{mine.url}/tickets", json={"name": name, "queue": "A"})
    await asyncio.to_thread(http_sink.wait_for, 3)

    page = (await mine.client.get(f"{path}/deliveries", params={"limit": 2})).json()
    rest = (await mine.client.get(f"{path}/deliveries", params={"limit": 2, "before": page["next"]})).json()

    ids = [each["id"] for each in (*page["deliveries"], *rest["deliveries"])]
    assert (len(ids), ids, rest["next"]) == (3, sorted(ids, reverse=True), "")
    assert await deliveries(mine, path, state="failed") == []
    assert (await mine.client.get(f"{path}/deliveries", params={"state": "lost"})).status_code == 422


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("", "url"), ("example.org/hook", "url"), ("ftp://example.org", "url"), ("https://", "url"), ("https://a:b@example.org", "url"),
        ("https://example.org/#x", "url"), ("https://exa mple.org", "url"), ("https://ex\u00e4mple.org", "url"), ("https://[::1", "url"),
        ("http://example.org/hook", "url"), ("https://127.0.0.1/", "url"), ("https://10.1.2.3/", "url"), ("https://[::1]/", "url"),
        ("https://169.254.169.254/latest", "url"), ("https://localhost/", "url"), ("https://" + "a" * 1000, "url"),
        ("https://example.org:99999/", "url"), ("javascript:alert(1)", "url"),
    ],
)  # fmt: skip
async def test_an_address_that_may_not_be_called_is_refused_beside_its_field(owner: Owner, url: str, field: str) -> None:
    answer = await owner.client.post("/v1/webhooks", json={"url": url})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid_input", field)
    assert (await owner.client.get("/v1/webhooks")).json() == []


async def test_a_network_that_may_be_called_does_not_let_everything_else_go_unencrypted(mine: Owner) -> None:
    for url in ("http://example.org/hook", "http://10.1.2.3/hook"):
        assert (await mine.client.post("/v1/webhooks", json={"url": url})).status_code == 422
    assert (await mine.client.post("/v1/webhooks", json={"url": "http://localhost:9/hook"})).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"url": "https://example.org", "events": ["ticket.exploded"]},
        {"url": "https://example.org", "events": "ticket.called"},
        {"url": "https://example.org", "secret": "mine"},
        {"url": "https://example.org", "name": "a\x00b"},
        {"url": "https://example.org", "name": "x" * 200},
        {"url": 7},
        {},
    ],
)
async def test_what_cannot_be_used_is_refused(owner: Owner, body: dict[str, Any]) -> None:
    answer = await owner.client.post("/v1/webhooks", json=body)
    assert answer.status_code == 422
    assert (await owner.client.get("/v1/webhooks")).json() == []


async def test_only_so_many_can_be_made(owner: Owner) -> None:
    for number in range(20):
        await made(owner, f"https://example.org/{number}")
    answer = await owner.client.post("/v1/webhooks", json={"url": "https://example.org/more"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_a_strangers_webhook_is_not_there(open_house: Open, http_sink: HttpSink) -> None:
    house = await open_house(outbound_networks=("127.0.0.0/8",))
    luigi, mario = await new_owner(house), await new_owner(house, "mario@example.com")
    path, _ = await made(luigi, http_sink.url)
    await join(house, luigi)
    (request,) = await asyncio.to_thread(http_sink.wait_for, 1)
    post = f"{path}/deliveries/{request.headers['webhook-id']}"
    for method, url in (
        ("GET", path), ("PATCH", path), ("DELETE", path), ("GET", f"{path}/secret"), ("POST", f"{path}/rotate"), ("POST", f"{path}/test"),
        ("GET", f"{path}/deliveries"), ("GET", post), ("POST", f"{post}/replay"), ("POST", f"{path}/replay"),
    ):  # fmt: skip
        answer = await mario.client.request(method, url, json={} if method == "PATCH" else None)
        assert answer.status_code == 404, (method, url)
        nobody = await (await house.client()).request(method, url, json={} if method == "PATCH" else None)
        assert nobody.status_code == 401, (method, url)
    theirs, _ = await made(mario, http_sink.url)
    assert (await mario.client.get(f"{theirs}/deliveries/{request.headers['webhook-id']}")).status_code == 404
    assert (await mario.client.get("/v1/webhooks")).json()[0]["id"] != path.rpartition("/")[2]
