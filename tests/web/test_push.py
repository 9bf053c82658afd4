"""Push subscriptions over HTTP: the key, the party's own browsers, and the service worker."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.subscriber import Subscriber, decoded
from tests.web.conftest import House, Open, join, new_owner

STATE = "/v1/ticket/push"


@pytest.fixture
async def house(open_house: Open) -> House:
    house: House = await open_house(mail_from="queue@example.com", secret_key="k" * 40)
    return house


@pytest.fixture
async def phone(house: House) -> httpx.AsyncClient:
    return await join(house, await new_owner(house))


async def test_the_key_is_there_for_everybody_and_the_same_after_a_restart(house: House, open_house: Open) -> None:
    key = (await (await house.client()).get("/v1/push")).json()["key"]
    again = await open_house(mail_from="queue@example.com", secret_key="k" * 40)
    other = await open_house(mail_from="queue@example.com", secret_key="o" * 40)

    assert len(decoded(key)) == 65
    assert (await (await again.client()).get("/v1/push")).json()["key"] == key
    assert (await (await other.client()).get("/v1/push")).json()["key"] != key


async def test_where_no_notifier_carries_to_browsers_nothing_is_offered(open_house: Open) -> None:
    house = await open_house()
    phone = await join(house, await new_owner(house))

    assert (await phone.get("/v1/push")).json()["code"] == "not_found"
    assert (await phone.get(STATE)).json() == {"key": "", "subscriptions": []}
    refused = await phone.put(STATE, json=Subscriber().json())
    assert (refused.status_code, refused.json()["detail"]) == (404, "This server does not notify browsers.")
    assert 'id="push"' not in (await phone.get("/ticket")).text


async def test_a_browser_is_notified_once_it_asked_and_until_it_takes_that_back(phone: httpx.AsyncClient) -> None:
    browser, other = Subscriber(), Subscriber()
    key = (await phone.get("/v1/push")).json()["key"]

    for _ in range(2):
        answer = await phone.put(STATE, json=browser.json())
        assert (answer.status_code, answer.json()) == (200, {"key": key, "subscriptions": [browser.id]})
    await phone.put(STATE, json=other.json())
    assert (await phone.get(STATE)).json()["subscriptions"] == sorted([browser.id, other.id])
    page = (await phone.get("/ticket")).text
    assert key in page
    assert browser.id in page
    assert browser.endpoint not in page

    assert (await phone.delete(STATE, params={"id": browser.id})).status_code == 204
    assert (await phone.get(STATE)).json()["subscriptions"] == [other.id]
    assert (await phone.delete(STATE)).status_code == 204
    assert (await phone.delete(STATE)).status_code == 204
    assert (await phone.get(STATE)).json()["subscriptions"] == []


async def test_the_tickets_own_token_is_as_good_as_the_cookie(house: House, phone: httpx.AsyncClient) -> None:
    browser = Subscriber()
    token = next(value for name, value in phone.cookies.items() if name.endswith("ticket"))
    program = await house.client(Authorization=f"Bearer {token}")

    assert (await program.put(STATE, json=browser.json())).json()["subscriptions"] == [browser.id]
    assert (await phone.get(STATE)).json()["subscriptions"] == [browser.id]


async def test_nobody_without_a_ticket_may_ask(house: House, phone: httpx.AsyncClient) -> None:
    stranger, liar = await house.client(), await house.client(Authorization="Bearer not.1.aticket")
    for method, body in (("GET", None), ("PUT", Subscriber().json()), ("DELETE", None)):
        assert (await stranger.request(method, STATE, json=body)).json()["code"] == "not_signed_in"
        assert (await liar.request(method, STATE, json=body)).json()["code"] == "ticket_not_found"
    assert (await phone.put(STATE, json=Subscriber().json(), headers={"Origin": "https://evil.example"})).json()["code"] == "cross_site"


async def test_parties_that_joined_together_are_notified_together(house: House) -> None:
    owner = await new_owner(house)
    phone = await house.client(Origin="http://127.0.0.1:8000")
    code, key = await owner.code(), "k" * 20
    await phone.post(f"/v1/codes/{code}/scan", json={"key": key})
    body = {"code": code, "key": key, "parties": [{"name": "Ann", "queue": "A"}, {"name": "Bo", "queue": "B"}]}
    joined = (await phone.post("/v1/tickets", json=body)).json()["tickets"]
    browser = Subscriber()

    await phone.put(STATE, json=browser.json())

    for ticket in joined:
        alone = await house.client(Authorization=f"Bearer {ticket['token']}")
        assert (await alone.get(STATE)).json()["subscriptions"] == [browser.id]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"endpoint": "http://push.example.com/x"}, "endpoint"),
        ({"endpoint": "https://push.example.com/" + "x" * 2048}, "endpoint"),
        ({"endpoint": 7}, "endpoint"),
        ({"keys": {"p256dh": "A" * 87, "auth": "A" * 22}}, "keys.p256dh"),
        ({"keys": {"p256dh": "A" * 86, "auth": "A" * 22}}, "keys.p256dh"),
        ({"keys": {"p256dh": "A" * 87, "auth": "A" * 22 + "="}}, "keys.auth"),
        ({"keys": {"auth": "A" * 22}}, "keys"),
        ({"expirationTime": "soon"}, "expirationTime"),
        ({"more": 1}, "more"),
    ],
)
async def test_what_is_no_subscription_is_refused_by_name(phone: httpx.AsyncClient, changes: dict[str, Any], field: str) -> None:
    answer = await phone.put(STATE, json=Subscriber().json() | changes)

    assert answer.status_code == 422
    assert answer.json()["field"].startswith(field)
    assert (await phone.get(STATE)).json()["subscriptions"] == []


async def test_a_name_that_is_none_takes_nothing_back(phone: httpx.AsyncClient) -> None:
    await phone.put(STATE, json=Subscriber().json())

    assert (await phone.delete(STATE, params={"id": "x"})).status_code == 422
    assert len((await phone.get(STATE)).json()["subscriptions"]) == 1


async def test_who_left_is_not_notified(phone: httpx.AsyncClient) -> None:
    await phone.delete("/v1/ticket")

    assert (await phone.put(STATE, json=Subscriber().json())).json()["code"] == "wrong_state"


# ---- the service worker


async def test_the_service_worker_is_at_the_root_and_may_ask_this_server_alone(house: House) -> None:
    client = await house.client()

    answer = await client.get("/sw.js")
    again = await client.get("/sw.js", headers={"If-None-Match": answer.headers["etag"]})

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert (again.status_code, again.content) == (304, b"")
    for each in (answer, again):
        assert each.headers["cache-control"] == "no-cache"
        assert each.headers["content-security-policy"] == "default-src 'none'; connect-src 'self'; img-src 'self'"
    assert (await client.post("/sw.js")).status_code == 405
    assert (await client.head("/sw.js")).status_code == 200
