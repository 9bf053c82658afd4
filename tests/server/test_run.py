"""The end of a process: in order, inside its time, with exit code 0, whoever is stuck."""

from __future__ import annotations

import asyncio
import json
import signal
import socket

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.errors import AnotherProcess, CannotStart
from realtime.server.listener import SEND_BUFFER_BYTES, listen
from realtime.server.run import serve
from realtime.settings import Settings
from tests.server.app import LiveApp
from tests.server.running import DEFAULTS, http, process, raw, running, until


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
async def test_a_drain_tells_every_socket_when_to_come_back_and_exits_with_0_in_spite_of_a_stuck_client(sig: signal.Signals) -> None:
    with process(drain_seconds=4) as (server, port, log):
        async with raw(port, receive_buffer=4096) as stuck, connect(f"ws://127.0.0.1:{port}/live") as client:
            for _ in range(300):  # so that the answers fill every buffer on the way, and nobody reads them
                stuck.send(0x1, b"x" * 4000)
            await client.send("hello")
            assert await client.recv() == "echo hello"
            server.send_signal(sig)
            told = json.loads(await client.recv())["disconnect"]
            assert told["code"] == 1012
            assert 0 <= told["after_ms"] <= 10_000
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
            await until(lambda: server.poll() is not None)
        assert server.returncode == 0, log()
        assert "Still busy" not in log(), "it ended by the last resort only"
        assert "Traceback" not in log()


async def test_a_request_under_way_is_answered_before_the_end_and_no_new_one_is_taken() -> None:
    async with running(drain_seconds=5) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
        await server.app.connected.wait()
        server.server.should_exit = True
        await until(lambda: not server.app.ready)
        with pytest.raises(OSError):
            await http(server.port, b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert not server.app.stopped, "the application goes last"
        server.app.release.set()
        assert (await reader.read()).endswith(b"not ready")
        writer.close()
        await until(lambda: server.app.stopped)


async def test_an_idle_connection_does_not_delay_the_end() -> None:
    with process(drain_seconds=5) as (server, port, log):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        await reader.readuntil(b"ready")
        server.send_signal(signal.SIGTERM)
        await until(lambda: server.poll() is not None)
        writer.close()
    assert server.returncode == 0, log()
    assert "Dropping" not in log()


async def test_a_request_that_never_ends_is_dropped_in_time() -> None:
    with process(drain_seconds=2) as (server, port, log):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /wait HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n", "the application has it now"
        server.send_signal(signal.SIGTERM)
        await until(lambda: server.poll() is not None)
        writer.close()
    assert server.returncode == 0, log()


async def test_an_application_that_never_shuts_down_is_left_behind_in_time() -> None:
    with process("hang", drain_seconds=1) as (server, _, log):
        server.send_signal(signal.SIGTERM)
        await until(lambda: server.poll() is not None, seconds=10)
    assert server.returncode == 0, log()


async def test_a_second_signal_ends_the_process_at_once() -> None:
    with process("hang", drain_seconds=60) as (server, _, log):
        server.send_signal(signal.SIGTERM)
        await until(lambda: "Going down" in log())
        server.send_signal(signal.SIGTERM)
        await until(lambda: server.poll() is not None, seconds=10)
    assert server.returncode == 128 + signal.SIGTERM


async def test_an_application_that_cannot_start_ends_the_process_with_3() -> None:
    with process("refuse_to_start") as (server, port, log):
        await until(lambda: server.poll() is not None)
        assert "no database" in log()
    assert (server.returncode, port) == (3, 0)


async def test_a_known_reason_why_it_cannot_start_is_said_in_one_sentence() -> None:
    with process("cannot_start") as (server, _, log):
        await until(lambda: server.poll() is not None)
    assert AnotherProcess.sentence in log()
    assert "Traceback" not in log()
    assert server.returncode == 3


async def test_the_listener_bounds_what_the_system_keeps_and_how_long_it_waits() -> None:
    listener = listen("127.0.0.1", 0)
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER_BYTES  # Linux says twice what was asked for
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 15_000
    with pytest.raises(CannotStart, match="set PORT to another"):
        listen(*listener.getsockname())
    listener.close()
    with pytest.raises(CannotStart, match="Set host"):
        listen("no-such-host.invalid", 0)


def test_several_processes_need_a_name_and_an_application_its_lifecycle() -> None:
    app = LiveApp(DEFAULTS)
    with pytest.raises(CannotStart, match="import name"):
        serve(app, Settings.defaults(port=0, web_concurrency=2, database_url="postgresql://localhost/x"), app)
    with pytest.raises(CannotStart, match="lifecycle"):
        serve(app, DEFAULTS)
