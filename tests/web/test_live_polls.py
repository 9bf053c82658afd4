"""Asking for what happens by ordinary requests: the same content as on the socket, and 304 while there is nothing new."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.web.conftest import House, Owner, join


async def walk_in(owner: Owner, name: str = "Bo") -> None:
    (await owner.client.post(f"{owner.url}/tickets", json={"name": name, "queue": "A"})).raise_for_status()


async def ask(client: httpx.AsyncClient, topic: str, since: str = "", **headers: str) -> httpx.Response:
    return await client.get("/v1/live", params={"topic": topic, **({"since": since} if since else {})}, headers=headers)


@pytest.fixture
def topic(owner: Owner) -> str:
    return f"store/{owner.store_id}/owner"


async def test_a_token_says_what_it_may_hear(owner: Owner, topic: str) -> None:
    answer = (await owner.client.get("/v1/live/topics")).json()

    assert (answer["as"], answer["store_id"], answer["topics"]) == ("owner", owner.store_id, [topic])
    assert answer["expires_ms"]


async def test_the_first_look_is_the_whole_state_and_its_tag_is_where_that_is(owner: Owner, topic: str) -> None:
    answer = await ask(owner.client, topic)

    whole = answer.json()
    assert answer.headers["ETag"] == f'"{whole["epoch"]}:{whole["seq"]}"'
    assert whole["recovered"] is False
    assert whole["snapshot"]["store"]["id"] == owner.store_id


async def test_nothing_new_is_304_and_a_change_ends_that(owner: Owner, topic: str) -> None:
    tag = (await ask(owner.client, topic)).headers["ETag"]

    same = await ask(owner.client, topic, **{"If-None-Match": tag})
    await walk_in(owner)
    changed = await ask(owner.client, topic, **{"If-None-Match": tag})

    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert changed.status_code == 200
    assert changed.json()["snapshot"]["tickets"][0]["name"] == "Bo"


@pytest.mark.parametrize("value", ["*", "W/{tag}", '"another:1", {tag}', '"a,b" ,W/{tag},', '"another:999", W/"x", {tag}'])
async def test_a_list_of_tags_with_the_right_one_and_any_tag_at_all_are_304(owner: Owner, topic: str, value: str) -> None:
    tag = (await ask(owner.client, topic)).headers["ETag"]

    answer = await ask(owner.client, topic, **{"If-None-Match": value.format(tag=tag)})

    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)


async def test_tags_in_several_headers_are_one_list(owner: Owner, topic: str) -> None:
    tag = (await ask(owner.client, topic)).headers["ETag"]

    headers = [("If-None-Match", '"another:1"'), ("If-None-Match", tag)]
    answer = await owner.client.get("/v1/live", params={"topic": topic}, headers=headers)

    assert answer.status_code == 304


@pytest.mark.parametrize("value", ['"another:1", "another:2"', '"*"', "", '"', "W/", '"another:1", *'])
async def test_tags_of_which_none_is_right_bring_the_whole_state(owner: Owner, topic: str, value: str) -> None:
    answer = await ask(owner.client, topic, **{"If-None-Match": value})

    assert answer.status_code == 200
    assert answer.json()["snapshot"]["store"]["id"] == owner.store_id


async def test_an_older_tag_in_a_list_does_not_stand_for_the_whole(owner: Owner, topic: str) -> None:
    tag = (await ask(owner.client, topic)).headers["ETag"]
    await walk_in(owner)

    answer = await ask(owner.client, topic, **{"If-None-Match": f'"another:999", {tag}'})

    assert answer.json()["snapshot"]["tickets"][0]["name"] == "Bo"


async def test_since_brings_only_what_was_missed(owner: Owner, topic: str) -> None:
    tag = (await ask(owner.client, topic)).headers["ETag"]
    await walk_in(owner)

    answer = await ask(owner.client, topic, tag.strip('"'), **{"If-None-Match": tag})

    assert answer.json()["recovered"] is True
    assert [push["change"] for push in answer.json()["events"]] == ["joined"]
    assert answer.headers["ETag"] != tag


@pytest.mark.parametrize("since", ["another:1", "garbage"])
async def test_who_remembers_what_never_was_gets_the_whole_state(owner: Owner, topic: str, since: str) -> None:
    assert (await ask(owner.client, topic, since)).json()["recovered"] is False


async def test_a_phone_asks_with_its_cookie_for_the_line_and_its_ticket(house: House, owner: Owner) -> None:
    phone = await join(house, owner)
    line, own = (await phone.get("/v1/live/topics")).json()["topics"]

    assert (await ask(phone, line)).json()["snapshot"]["tickets"][0]["label"] == "A01"
    first = await ask(phone, own)
    assert first.json()["snapshot"]["label"] == "A01"
    assert (await ask(phone, own, **{"If-None-Match": first.headers["ETag"]})).status_code == 304
    assert "Ann" not in (await ask(phone, line)).text


async def test_what_is_not_theirs_is_refused(house: House, owner: Owner, topic: str) -> None:
    phone = await join(house, owner)

    assert (await ask(phone, topic)).json()["code"] == "not_allowed"
    assert (await ask(phone, "store/another/public")).status_code in (403, 404)


async def test_a_poll_leaves_no_subscription_behind(house: House, owner: Owner, topic: str) -> None:
    await ask(owner.client, topic)

    assert house.parts.hub.subscribers(topic) == 0


async def test_who_polls_is_there_for_a_while(house: House, owner: Owner, topic: str) -> None:
    phone = await join(house, owner)
    line, own = (await phone.get("/v1/live/topics")).json()["topics"]
    for _ in range(2):
        for topic_of_it in (line, own):
            await ask(phone, topic_of_it)
        await ask(owner.client, topic)
    await ask(phone, topic)

    present = house.parts.presence.total(owner.store_id)

    assert (present.public, present.boards, present.owners, present.open) == (1, 0, 1, (int(own.rpartition("/")[2]),))


async def test_another_process_of_one_mind_sees_the_same_as_the_socket(house: House, owner: Owner, topic: str) -> None:
    """The body is what the socket replies to `subscribe`, byte for byte."""
    heard: list[bytes] = []

    class Sink:
        fd = -1

        def write(self, data: bytes) -> None:
            heard.append(data)

        def buffered_bytes(self) -> int:
            return 0

        def close(self, code: int, reason: str = "") -> None: ...
        def abort(self) -> None: ...

    live: Any = house.parts.live
    granted = await live.authenticate(owner.client.headers["Authorization"].removeprefix("Bearer "))
    await live.subscribe(granted, topic, None, Sink(), lambda body: body, "http://127.0.0.1:8000")

    answer = await ask(owner.client, topic)

    assert heard[0].endswith(answer.content)
