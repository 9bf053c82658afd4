"""An account's dead letters over HTTP: looked at before they are put back, and let go from the queue that is named."""

from __future__ import annotations

import httpx
import pytest_asyncio

from tests.web.conftest import House, new_owner, program_of


@pytest_asyncio.fixture
async def program(house: House) -> httpx.AsyncClient:
    return await program_of(house, await new_owner(house), "publish", "consume")


async def _die(program: httpx.AsyncClient, message: int) -> str:
    id_ = (await program.post("/v1/publish", json={"message": message})).raise_for_status().json()["messageId"]
    for _ in range(6):
        for held in (await program.get("/v1/consumer?cid=1")).json()["messages"]:
            await program.patch("/v1/consumer", json={"cid": "1", "id": held["messageId"], "vt": 0})
    return str(id_)


async def _dead(program: httpx.AsyncClient) -> list[str]:
    return [letter["messageId"] for letter in (await program.get("/v1/dead")).raise_for_status().json()["letters"]]


async def test_a_dry_run_says_how_many_would_be_put_back_and_changes_nothing(program: httpx.AsyncClient) -> None:
    ids = [await _die(program, number) for number in range(2)]

    for more, would in (({}, 2), ({"limit": 1}, 1), ({"reason": "given up"}, 2), ({"reason": "no"}, 0), ({"queue": "other"}, 0)):
        looked = await program.post("/v1/dead/redrive", json={"dry_run": True, **more})
        assert looked.json() == {"redriven": would, "dry_run": True}

    assert await _dead(program) == ids
    assert (await program.get("/v1/consumer?cid=1")).json() == {"messages": []}
    assert (await program.post("/v1/dead/redrive", json={"dry_run": False})).json() == {"redriven": 2}
    assert await _dead(program) == []


async def test_a_dead_letter_is_let_go_only_from_the_queue_that_is_named(program: httpx.AsyncClient) -> None:
    dead = await _die(program, 1)

    elsewhere = await program.delete("/v1/dead", params={"id": dead, "queue": "other"})
    assert (elsewhere.status_code, elsewhere.json()["detail"]) == (404, "There is no such dead letter in this queue.")
    assert (await program.delete("/v1/dead", params={"id": dead, "queue": "not a name"})).status_code == 422
    assert await _dead(program) == [dead]

    assert (await program.delete("/v1/dead", params={"id": dead, "queue": "default"})).status_code == 204
    assert await _dead(program) == []
