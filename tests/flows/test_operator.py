"""`nowserving jobs` and /metrics against a running server: on one process, and on two that are one."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.conftest import Serve
from tests.flows.client import off_loop, open_store, visitor
from tests.support.process import ServerProcess, clean_environment

TOKEN = "an operator's token of at least 32 characters"


def jobs(server: ServerProcess, *arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "realtime", "jobs", *arguments]
    environment = clean_environment(PORT=str(server.port), NOWSERVING_OPERATOR_TOKEN=token)
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=50)


async def told(server: ServerProcess, *arguments: str) -> Any:
    done = await off_loop(lambda: jobs(server, *arguments, "--json"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def said(server: ServerProcess, *arguments: str, code: int = 0) -> str:
    done = await off_loop(lambda: jobs(server, *arguments))
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


async def program_of(owner: Any) -> str:
    made = await owner.http.post(
        "/v1/tokens", json={"name": "Till", "scopes": ["publish", "consume", "jobs"]}, headers={"Authorization": f"Bearer {owner.token}"}
    )
    return str(made.raise_for_status().json()["token"])


async def test_an_operator_looks_after_the_queues_from_a_shell(server: Serve) -> None:
    process = await off_loop(lambda: server(operator_token=TOKEN, message_receives=1))
    async with open_store(process) as owner, visitor(process, Authorization=f"Bearer {await program_of(owner)}") as program:
        for text in ("one", "two"):
            await program.post("/v1/publish", json={"message": text})
        for _ in range(2):
            for message in (await program.get("/v1/consumer?cid=1&limit=9")).json()["messages"]:
                await program.patch("/v1/consumer", json={"cid": "1", "id": message["messageId"], "vt": 0})

        (queue,) = [each for each in (await told(process, "list"))["queues"] if each["dead"]]
        assert queue["dead"] == 2
        name = queue["queue"]
        assert name in await said(process, "list")
        first, second = (await told(process, "list", "--state", "dead"))["jobs"]
        assert second["id"] in await said(process, "list", "--state", "dead", "--queue", name, "--limit", "5")
        assert "No job is in flight." in await said(process, "list", "--state", "in_flight")
        shown = await said(process, "show", first["owner"], first["id"])
        assert "attempt 1 at " in shown
        assert "state: dead" in shown
        assert re.search(r"^put in: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", shown, re.MULTILINE), shown
        assert "_ms" not in shown
        assert " ms:" not in shown
        assert "There is no queue nosuch here" in await said(process, "pause", "nosuch", code=1)
        assert "at least 1" in await said(process, "list", "--limit", "0", code=2)
        assert [each["queue"] for each in (await told(process, "list", "--queue", name))["queues"]] == [name]
        assert (await told(process, "list", "--queue", "nobodys"))["queues"] == []
        assert "--state" in await said(process, "list", "--limit", "5", code=1)
        assert await said(process, "retry", first["owner"], first["id"]) == "It is due now. What stands before it in its lane goes first.\n"
        assert await said(process, "cancel", second["owner"], second["id"]) == "It is over.\n"
        assert "There is no such job" in await said(process, "cancel", second["owner"], second["id"], code=1)
        assert await said(process, "pause", name) == f"{name} is paused.\n"
        assert await said(process, "pause", name) == f"{name} is paused already.\n"
        assert "paused" in await said(process, "list")
        assert (await program.get("/v1/consumer?cid=1&limit=9")).json() == {"messages": []}
        assert await said(process, "resume", name) == f"{name} is at work.\n"
        assert await said(process, "redrive", name) == "0 dead letters put back.\n"
        assert await said(process, "purge", name, "--yes", "--older-than", "60") == "0 dead letters deleted.\n"
        assert len((await program.get("/v1/consumer?cid=1&limit=9")).json()["messages"]) == 1


def answered(server: ServerProcess, answer: str, *arguments: str) -> tuple[int, str, str]:
    """`jobs` at a terminal, where somebody types: the exit code, what was said to them, and what was printed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        command = [sys.executable, "-m", "realtime", "jobs", *arguments]
        environment = clean_environment(PORT=str(server.port), NOWSERVING_OPERATOR_TOKEN=TOKEN)
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False, env=environment, timeout=50)
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, done.stderr, done.stdout


async def test_an_operator_looks_before_dead_letters_are_put_back_and_is_asked_before_they_are_deleted(server: Serve) -> None:
    process = await off_loop(lambda: server(operator_token=TOKEN, message_receives=1))
    async with open_store(process) as owner, visitor(process, Authorization=f"Bearer {await program_of(owner)}") as program:
        for text in ("one", "two", "three"):
            await program.post("/v1/publish", json={"message": text})
        for _ in range(2):
            for message in (await program.get("/v1/consumer?cid=1&limit=9")).json()["messages"]:
                await program.patch("/v1/consumer", json={"cid": "1", "id": message["messageId"], "vt": 0})
        found = (await told(process, "list", "--state", "dead"))["jobs"]
        name, (first, second, third) = found[0]["queue"], [job["id"] for job in found]

        looked = await said(process, "redrive", name, "--dry-run", "--limit", "2")
        assert looked.splitlines()[0].split() == ["owner", "id", "reason"]
        assert [line.split()[1] for line in looked.splitlines()[1:3]] == [first, second]
        assert "given up after 1 attempt: released" in looked
        assert looked.splitlines()[3:] == ["2 dead letters would be put back. Nothing was changed."]
        would = await told(process, "redrive", name, "--dry-run", "--reason", "nothing like it")
        assert would == {"count": 0, "dry_run": True, "jobs": []}
        assert (await told(process, "purge", name, "--dry-run"))["count"] == 3

        alone = await said(process, "purge", name, code=1)
        assert alone == "Nobody is there to say yes. Look with --dry-run, then say --yes.\n"
        for answer in ("no\n", "\n", "\x04"):
            code, asked, _ = await off_loop(lambda answer=answer: answered(process, answer, "purge", name))
            assert (code, asked) == (1, f"Delete 3 dead letters of {name}? yes/no Nothing was deleted.\n")
        assert (await told(process, "purge", name, "--dry-run"))["count"] == 3

        assert await off_loop(lambda: answered(process, "yes\n", "purge", name, "--limit", "1")) == (
            0, f"Delete 1 dead letter of {name}? yes/no ", "1 dead letter deleted.\n",
        )  # fmt: skip
        assert [job["id"] for job in (await told(process, "list", "--state", "dead"))["jobs"]] == [second, third]
        assert await told(process, "purge", name, "--yes") == {"count": 2}
        nothing = await off_loop(lambda: answered(process, "yes\n", "purge", "deliveries"))
        assert nothing == (0, "", "0 dead letters deleted.\n"), "there is nothing to ask about"


async def test_an_operator_says_when_a_job_is_tried(server: Serve) -> None:
    process = await off_loop(lambda: server(operator_token=TOKEN))
    async with open_store(process) as owner, visitor(process, Authorization=f"Bearer {await program_of(owner)}") as program:
        id_ = (await program.post("/v1/publish", json={"message": 1, "delay": 60})).json()["messageId"]
        (job,) = (await told(process, "list", "--state", "deferred"))["jobs"]

        one = (job["owner"], id_)

        soon = await said(process, "reschedule", *one, "--in", "7200")
        assert re.fullmatch(r"It is due at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\. What stands before it in its lane goes first\.\n", soon)
        (put_off,) = (await told(process, "list", "--state", "deferred"))["jobs"]
        assert 7_140_000 <= put_off["due_ms"] - job["due_ms"] < 7_300_000
        assert await said(process, "reschedule", *one, "--at", "2199-01-01T00:00", code=1) == (
            "--at, --in: Name a time within a year from now.\n"
        )
        for wrong in (("--at", "soon"), ("--in", "0"), (), ("--in", "1", "--at", "2026-11-28T18:30")):
            assert "error: " in await said(process, "reschedule", *one, *wrong, code=2), wrong

        assert await told(process, "reschedule", *one, "--at", "2001-01-01T00:00:00+01:00") == {"changed": True}
        assert [message["messageId"] for message in (await program.get("/v1/consumer?cid=1")).json()["messages"]] == [id_]
        assert "A worker holds this job." in await said(process, "reschedule", *one, "--in", "60", code=1)
        assert "There is no such job." in await said(process, "reschedule", "nobody", "1", "--in", "60", code=1)


async def test_a_check_up_exits_with_1_when_something_needs_a_person_and_2_when_it_could_not_ask(server: Serve) -> None:
    process = await off_loop(lambda: server(operator_token=TOKEN))

    assert await said(process, "doctor") == "All is well.\n"
    assert (await told(process, "doctor"))["findings"] == []
    await said(process, "pause", "service")

    sick = await off_loop(lambda: jobs(process, "doctor"))
    assert sick.returncode == 1
    assert re.fullmatch(
        r"service has been paused for \d+ seconds?\. Resume it when what it was paused for is over\.\n  nowserving jobs resume service\n",
        sick.stdout,
    )
    for_programs = await off_loop(lambda: jobs(process, "doctor", "--json"))
    assert (for_programs.returncode, [each["kind"] for each in json.loads(for_programs.stdout)["findings"]]) == (1, ["paused"])
    assert await said(process, "doctor", "--url", "http://127.0.0.1:1", code=2)
    wrong = await off_loop(lambda: jobs(process, "doctor", token="x" * 32))
    assert (wrong.returncode, wrong.stderr) == (2, "This is not the operator's token.\n")


async def test_a_wrong_token_and_a_server_that_is_not_there_are_told_in_a_sentence(server: Serve) -> None:
    process = await off_loop(lambda: server(operator_token=TOKEN))

    wrong = await off_loop(lambda: jobs(process, "list", token="x" * 32))
    assert (wrong.returncode, wrong.stderr) == (1, "This is not the operator's token.\n")
    none = await off_loop(lambda: jobs(process, "list", token=""))
    assert (none.returncode, none.stderr[:28]) == (2, "operator_token is not set. S")
    nobody = await off_loop(lambda: jobs(process, "list", "--url", "http://127.0.0.1:1"))
    assert (nobody.returncode, nobody.stderr[:54]) == (2, "Nobody answers as nowserving at http://127.0.0.1:1. St")
    for_programs = await off_loop(lambda: jobs(process, "list", "--json", "--url", "http://127.0.0.1:1"))
    assert (for_programs.returncode, json.loads(for_programs.stderr)) == (2, {"detail": nobody.stderr.strip()})
    too_many = await said(process, "list", "--state", "ready", "--limit", "9999", code=1)
    assert too_many == "--limit: This must be at most 500.\n"
    wrong_settings = await off_loop(lambda: jobs(process, "list", "--json", token="short"))
    assert wrong_settings.returncode == 2
    assert "operator_token" in json.loads(wrong_settings.stderr)["detail"]
    unknown = await off_loop(lambda: jobs(process, "explode"))
    assert unknown.returncode == 2


async def _figure(client: httpx.AsyncClient, line: str) -> float:
    text = (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).raise_for_status().text
    return sum(float(each.rpartition(" ")[2]) for each in text.splitlines() if each.startswith(line))


@pytest.mark.postgres
async def test_two_processes_answer_for_each_other_and_a_pause_holds_in_both(server: Serve, new_database: Callable[[], str]) -> None:
    process = await off_loop(lambda: server(operator_token=TOKEN, database_url=new_database(), web_concurrency=2))
    async with open_store(process) as owner, visitor(process, Authorization=f"Bearer {await program_of(owner)}") as program:
        for _ in range(20):
            (await program.post("/addJob", json={"handler": "echo", "lane": ""})).raise_for_status()
        async with asyncio.timeout(30):
            while await _figure(program, "nowserving_job_attempts_total{") != 20:
                await asyncio.sleep(0.05)
        # Each connection may end at either process, and each tells the same.
        for _ in range(4):
            async with visitor(process) as another:
                assert await _figure(another, "nowserving_job_attempts_total{") == 20

        await said(process, "pause", "service")
        for _ in range(4):
            (await program.post("/addJob", json={"handler": "echo", "lane": ""})).raise_for_status()
        assert await _figure(program, 'nowserving_jobs{queue="service",state="ready"}') == 4
        assert await _figure(program, 'nowserving_queues_paused{queue="service"}') == 1
        await said(process, "resume", "service")
        async with asyncio.timeout(30):
            while await _figure(program, "nowserving_job_attempts_total{") != 24:
                await asyncio.sleep(0.05)
