"""`nowserving worker` beside a server on one Postgres: it is woken at once, gives back what it cannot finish, and nothing is lost when it is killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest_asyncio

from tests.conftest import Serve
from tests.flows.client import PATIENCE_S, off_loop, open_store, visitor
from tests.support.nursery import Born
from tests.support.process import ServerProcess, bear, free_port

HEARD_S = 20.0
"""Without a wake-up a worker looks every 24 s at the soonest."""


@pytest_asyncio.fixture
async def house(server: Serve, new_database: Callable[[], str]) -> AsyncIterator[tuple[ServerProcess, httpx.AsyncClient]]:
    """A server that does no jobs itself, and a program of its owner's."""
    process = await off_loop(
        lambda: server(
            database_url=new_database(),
            run_jobs=False,
            job_lease_seconds=2,
            job_service_seconds=1,
            notifier_deadline_seconds=1,
            smtp_deadline_seconds=1,
        )
    )
    async with open_store(process) as owner:
        made = await owner.http.post(
            "/v1/tokens", json={"name": "Till", "scopes": ["jobs"]}, headers={"Authorization": f"Bearer {owner.token}"}
        )
        async with visitor(process, Authorization=f"Bearer {made.raise_for_status().json()['token']}") as program:
            yield process, program


def from_a_shell(*arguments: str, folder: Path, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """As a user starts it, in an interpreter of its own."""
    with log.open("wb") as out:
        return subprocess.Popen([sys.executable, "-m", "realtime", *arguments], stdout=out, stderr=out, cwd=folder, env=environment)


@contextmanager
def worker(
    server: ServerProcess, log: Path, start: Callable[..., subprocess.Popen[bytes] | Born], *options: str
) -> Iterator[subprocess.Popen[bytes] | Born]:
    process = start("worker", *options, folder=server.folder, environment=server.environment, log=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
    assert b"Traceback" not in log.read_bytes(), log.read_text()


async def _add(program: httpx.AsyncClient, **more: object) -> str:
    return str((await program.post("/addJob", json={"handler": "echo", **more})).raise_for_status().json()["jobId"])


async def _ended(program: httpx.AsyncClient, id_: str, within: float) -> str:
    async with asyncio.timeout(within):
        while (status := (await program.get(f"/status/{id_}")).raise_for_status().json()["status"]) == "PENDING":
            await asyncio.sleep(0.02)
    return str(status)


async def test_a_worker_is_woken_through_postgres_and_ends_when_it_is_told(
    house: tuple[ServerProcess, httpx.AsyncClient], tmp_path: Path
) -> None:
    server, program = house
    before = await _add(program)
    assert (await program.get(f"/status/{before}")).json()["status"] == "PENDING"

    with worker(server, tmp_path / "worker.log", from_a_shell) as process:
        assert await _ended(program, before, PATIENCE_S) == "SUCCESS"
        for number in range(3):
            assert await _ended(program, await _add(program, payload=number), HEARD_S) == "SUCCESS"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


async def test_a_worker_shows_its_figures_where_it_is_told_to(house: tuple[ServerProcess, httpx.AsyncClient], tmp_path: Path) -> None:
    server, program = house
    port = free_port()

    with worker(server, tmp_path / "worker.log", bear, "--metrics-port", str(port)) as process:
        assert await _ended(program, await _add(program), PATIENCE_S) == "SUCCESS"
        async with httpx.AsyncClient() as collector:
            answer = await collector.get(f"http://127.0.0.1:{port}/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert 'nowserving_job_attempts_total{name="echo",outcome="done",queue="service"} 1.0' in answer.text
        assert 'nowserving_job_wait_seconds_count{queue="service"} 1.0' in answer.text
        with worker(server, tmp_path / "second.log", bear, "--metrics-port", str(port)) as second:
            assert await asyncio.to_thread(second.wait, 20) == 2
        assert f"port {port} cannot be listened at" in (tmp_path / "second.log").read_text()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


async def test_jobs_outlive_workers_that_are_killed_again_and_again(house: tuple[ServerProcess, httpx.AsyncClient], tmp_path: Path) -> None:
    server, program = house
    ids: list[str] = []

    for round_ in range(3):
        with worker(server, tmp_path / f"worker-{round_}.log", bear) as process:
            ids += [await _add(program, payload=number, lane=str(number % 3)) for number in range(20)]
            await _ended(program, ids[len(ids) // 2], PATIENCE_S)
            process.kill()
    with worker(server, tmp_path / "worker-last.log", bear):
        assert {await _ended(program, id_, PATIENCE_S) for id_ in ids} == {"SUCCESS"}

    jobs = [(await program.get(f"/status/{id_}")).json() for id_ in ids]
    for lane in ("0", "1", "2"):
        ended = [job["attempts"][-1]["ended"] for job in jobs if job["lane"] == lane]
        assert ended == sorted(ended)
