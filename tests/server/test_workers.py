"""Several processes on one port."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.server.running import process, until

MANY: dict[str, Any] = {"web_concurrency": 2, "database_url": "postgresql://localhost/nobody", "drain_seconds": 4}


def started(log: str) -> int:
    return len(re.findall("nowserving is at", log))


async def test_several_processes_serve_one_port_and_end_together() -> None:
    with process(**MANY) as (server, port, log):
        await until(lambda: started(log()) == 2)
        clients = [await connect(f"ws://127.0.0.1:{port}/live") for _ in range(4)]
        for client in clients:
            await client.send("hello")
            assert await client.recv() == "echo hello"
        server.send_signal(signal.SIGTERM)
        for client in clients:
            await client.wait_closed()
            assert client.close_code == 1012
        await until(lambda: server.poll() is not None)
    assert server.returncode == 0, log()


async def test_each_socket_of_several_processes_is_told_its_own_time_to_return() -> None:
    with process(**MANY) as (server, port, log):
        await until(lambda: started(log()) == 2)
        clients = [await connect(f"ws://127.0.0.1:{port}/live") for _ in range(24)]
        for client in clients:
            await client.send("hello")
            await client.recv()
        server.send_signal(signal.SIGTERM)
        told = [await told_to_return(client) for client in clients]
        await until(lambda: server.poll() is not None)
    assert {each["code"] for each in told} == {1012}
    window_ms = 500 + 5 * len(clients)
    assert all(0 <= each["after_ms"] < window_ms for each in told)
    assert len({each["after_ms"] for each in told}) > len(told) // 2, told
    assert server.returncode == 0, log()


async def test_a_second_signal_to_the_supervisor_ends_all_processes_at_once() -> None:
    with process("hang", **{**MANY, "drain_seconds": 60}) as (server, port, log):
        await until(lambda: started(log()) == 2)
        children = [pid for pid in children_of(server.pid) if pid_is_worker(pid)]
        client = await connect(f"ws://127.0.0.1:{port}/live")
        server.send_signal(signal.SIGTERM)
        await client.wait_closed()
        assert client.close_code == 1012, "the drain has begun"
        assert server.poll() is None
        server.send_signal(signal.SIGTERM)
        await until(lambda: server.poll() is not None)
        await until(lambda: not any(alive(pid) for pid in children))
    assert server.returncode == 128 + signal.SIGTERM, log()


async def test_a_process_that_dies_is_replaced() -> None:
    with process(**MANY) as (server, _, log):
        await until(lambda: started(log()) == 2)
        children = children_of(server.pid)
        victim = next(pid for pid in children if pid_is_worker(pid))
        os.kill(victim, signal.SIGKILL)
        await until(lambda: started(log()) == 3)
        assert "starting another" in log()
        server.send_signal(signal.SIGTERM)
        await until(lambda: server.poll() is not None)
    assert server.returncode == 0, log()


async def test_processes_whose_application_cannot_start_end_the_supervisor() -> None:
    with process("refuse_to_start", **MANY) as (server, _, log):
        await until(lambda: server.poll() is not None)
    assert server.returncode == 3, log()


async def test_processes_end_when_their_supervisor_is_killed() -> None:
    with process(**MANY) as (server, _, log):
        await until(lambda: started(log()) == 2)
        children = [pid for pid in children_of(server.pid) if pid_is_worker(pid)]
        server.send_signal(signal.SIGKILL)
        await until(lambda: not any(alive(pid) for pid in children))


async def told_to_return(client: ClientConnection) -> dict[str, int]:
    while not (said := json.loads(await client.recv())):
        pass  # a ping
    told: dict[str, int] = said["disconnect"]
    return told


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-ww", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in (row.split() for row in listed.splitlines()) if int(parent) == pid]


def pid_is_worker(pid: int) -> bool:
    command = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return "spawn_main" in command


def alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-ww", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")
