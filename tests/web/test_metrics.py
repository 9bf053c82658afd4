"""Figures for Prometheus: who may read them, and that they say what happened."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.web.conftest import House, Open, join, new_owner

TOKEN = "a token of at least 32 characters for figures"


async def figures(house: House, token: str = TOKEN) -> dict[tuple[str, ...], float]:
    collector = await house.client(Authorization=f"Bearer {token}")
    answer = (await collector.get("/metrics")).raise_for_status()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[(sample.name, *(value for _, value in sorted(sample.labels.items())))] = sample.value
    return found


@pytest.mark.parametrize("settings", [{}, {"operator_token": "o" * 32}, {"metrics_token": "m" * 32}])
async def test_nobody_else_reads_them(open_house: Open, settings: dict[str, str]) -> None:
    house: House = await open_house(**settings)
    for header in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {'x' * 32}"}):
        assert (await (await house.client(**header)).get("/metrics")).status_code == 401


async def test_the_token_for_figures_opens_nothing_else(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN, operator_token="o" * 32)
    assert await figures(house)
    assert await figures(house, "o" * 32)
    collector = await house.client(Authorization=f"Bearer {TOKEN}")
    assert (await collector.get("/v1/operator")).status_code == 401


async def test_jobs_messages_and_notifications_are_counted_where_they_stand_and_how_they_went(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN)
    owner = await new_owner(house)
    made = (await owner.client.post("/v1/tokens", json={"name": "Till", "scopes": ["publish", "consume", "jobs"]})).json()
    program: httpx.AsyncClient = await house.client(Authorization=f"Bearer {made['token']}")
    await program.post("/v1/publish/batch", json={"messages": [{"message": 1}, {"message": 2}]})
    (message,) = (await program.get("/v1/consumer?cid=1&limit=1")).json()["messages"]
    job = (await program.post("/addJob", json={"handler": "echo"})).json()["jobId"]
    async with asyncio.timeout(20):
        while (await program.get(f"/status/{job}")).json()["status"] == "PENDING":
            await asyncio.sleep(0.01)
    await join(house, owner)

    found = await figures(house)

    assert found["nowserving_jobs", "messages", "ready"] == 1
    assert found["nowserving_jobs", "messages", "in_flight"] == 1
    assert found["nowserving_jobs", "messages", "dead"] == 0
    assert found["nowserving_job_attempts_total", "echo", "done", "service"] == 1
    assert found["nowserving_job_run_seconds_count", "echo", "service"] == 1
    assert found["nowserving_job_wait_seconds_count", "service"] == 1
    assert found["nowserving_job_wait_seconds_count", "messages"] == 1
    assert found["nowserving_alarms", "dead_letters"] == 0
    assert "nowserving_blocked_lanes" in {name for name, *_ in found}


async def test_how_late_the_event_loop_was_is_shown(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN)

    async with asyncio.timeout(10):
        while not (await figures(house))["nowserving_loop_lag_seconds_count",]:
            await asyncio.sleep(0.01)


async def test_a_lease_is_lost_by_whoever_answers_after_its_end_and_by_nobody_else(open_house: Open) -> None:
    house: House = await open_house(metrics_token=TOKEN)
    owner = await new_owner(house)
    made = (await owner.client.post("/v1/tokens", json={"name": "Till", "scopes": ["publish", "consume"]})).json()
    program: httpx.AsyncClient = await house.client(Authorization=f"Bearer {made['token']}")
    lost = "nowserving_leases_lost_total", "messages"
    await program.post("/v1/publish", json={"message": 1})
    (message,) = (await program.get("/v1/consumer?cid=1&vt=1")).json()["messages"]
    id_, receipt = message["messageId"], message["receipt"]
    for wrong in (f"cid=2&id={id_}", f"cid=1&id={id_}&receipt=wrong", f"cid=1&id=17&receipt={receipt}"):
        assert (await program.delete(f"/v1/consumer?{wrong}")).json() is False
    assert lost not in await figures(house)

    async with asyncio.timeout(20):
        while (await figures(house))["nowserving_jobs", "messages", "ready"] != 1:
            await asyncio.sleep(0.05)
    assert (await program.delete(f"/v1/consumer?cid=1&id={id_}&receipt={receipt}")).json() is False
    assert (await figures(house))[lost] == 1
    assert (await program.patch("/v1/consumer", json={"cid": "1", "id": id_, "vt": 9, "receipt": receipt})).json() is False
    assert (await figures(house))[lost] == 2
