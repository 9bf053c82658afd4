"""The message queue over HTTP: what is refused, also in the middle of a wait."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import pytest_asyncio

from realtime.storage.statement import Operation, Statement
from tests.web.conftest import House, Owner, program_of


@pytest_asyncio.fixture
async def program(house: House, owner: Owner) -> httpx.AsyncClient:
    return await program_of(house, owner, "publish", "consume")


async def test_who_waits_with_a_token_that_is_revoked_is_given_nothing(program: httpx.AsyncClient, house: House, owner: Owner) -> None:
    other = await program_of(house, owner, "consume")
    waiting = asyncio.create_task(other.get("/v1/consumer", params={"cid": "other", "wait": 20}))
    while not house.parts.messaging._waiting and not waiting.done():
        await asyncio.sleep(0)
    made = (await owner.client.get("/v1/tokens")).json()
    for token in made:
        if token["scopes"] == ["consume"]:
            (await owner.client.delete(f"/v1/tokens/{token['id']}")).raise_for_status()
    (await program.post("/v1/publish", json={"message": "for those who may"})).raise_for_status()

    async with asyncio.timeout(10):
        assert (await waiting).status_code == 401
    assert len((await program.get("/v1/consumer", params={"cid": "1"})).json()["messages"]) == 1


@pytest.mark.parametrize("field", ["key", "lane"])
async def test_what_no_database_can_keep_is_refused(program: httpx.AsyncClient, field: str) -> None:
    refused = await program.post("/v1/publish", json={"message": 1, field: "a\0b"})

    assert (refused.status_code, refused.json()["field"]) == (422, field)
    refused = await program.post("/v1/dead/redrive", json={"reason": "\0"})
    assert (refused.status_code, refused.json()["field"]) == (422, "reason")


def _received_earlier() -> Operation[None]:
    yield Statement("update attempts set started_ms = started_ms - 1000")


async def test_a_message_is_held_for_twelve_hours_at_most(program: httpx.AsyncClient, house: House) -> None:
    (await program.post("/v1/publish", json={"message": "slow"})).raise_for_status()
    (held,) = (await program.get("/v1/consumer?cid=1")).json()["messages"]
    await house.parts.storage.write(_received_earlier)

    refused = await program.patch("/v1/consumer", json={"cid": "1", "id": held["messageId"], "vt": 43_200})

    assert (refused.status_code, refused.json()["field"]) == (422, "vt")
    assert "12 hours at most" in refused.json()["detail"]
    assert (await program.delete(f"/v1/consumer?cid=1&id={held['messageId']}")).json() is True
