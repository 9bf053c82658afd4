"""The peer nchan: nginx with one worker. This process only passes orders on, over HTTP as every publisher to nchan does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from pathlib import Path

from bench.peers import control
from bench.program import free_port

CONFIGURATION = """
daemon off;
worker_processes 1;
worker_cpu_affinity {mask};
worker_rlimit_nofile {files};
user root;
pid {folder}/pid;
error_log {folder}/error.log crit;
load_module {module};
events {{ worker_connections {files}; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  nchan_shared_memory_size 512M;
  keepalive_requests 100000000;
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location = /live {{ nchan_subscriber websocket; nchan_channel_id line; nchan_websocket_ping_interval 0; nchan_subscriber_first_message newest; }}
    location = /publish {{ nchan_publisher; nchan_channel_id line; nchan_message_buffer_length 1000; }}
  }}
}}
"""
_PUBLISH = b"POST /publish HTTP/1.1\r\nHost: bench\r\nContent-Type: text/plain\r\nContent-Length: 128\r\n\r\n"
_COUNT = b"GET /publish HTTP/1.1\r\nHost: bench\r\nAccept: text/json\r\n\r\n"


async def main(nginx: str, module: str, core: int, files: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        text = CONFIGURATION.format(mask=f"{1 << core:b}" if core >= 0 else "auto", files=files, folder=folder, module=module, port=port)
        (folder / "nginx.conf").write_text(text)
        here = asyncio.current_task()
        assert here is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, here.cancel)  # nginx must not be left behind
        process = await asyncio.create_subprocess_exec(nginx, "-p", name, "-c", str(folder / "nginx.conf"))
        try:
            reader, writer = await _connected(port, process)
            drain = asyncio.create_task(_answers(reader, counts := asyncio.Queue[int]()))
            server = await asyncio.start_server(lambda r, w: _orders(r, w, writer, counts), "127.0.0.1", 0)
            print(port, control.port_of(server), *await _workers(process.pid), flush=True)
            await drain
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _connected(port: int, process: asyncio.subprocess.Process) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if process.returncode is not None:
                raise
            await asyncio.sleep(0.01)


async def _workers(master: int) -> list[str]:
    """The processes that do the work; the system takes connections before they are there."""
    while True:
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        workers = [pid for pid in children if "worker process" in Path(f"/proc/{pid}/cmdline").read_text()]
        if workers:
            return workers
        await asyncio.sleep(0.01)


async def _orders(
    orders: asyncio.StreamReader, answers: asyncio.StreamWriter, nchan: asyncio.StreamWriter, counts: asyncio.Queue[int]
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await orders.read(4096):
            nchan.write(b"".join(_PUBLISH + control.message() for _ in range(data.count(b"p"))))
            if b"n" in data:
                nchan.write(_COUNT)
                answers.write(b"%d\n" % await counts.get())
    # Whoever measures is gone.
    nchan.close()


async def _answers(reader: asyncio.StreamReader, counts: asyncio.Queue[int]) -> None:
    """Reads what nchan says; of a question's answer, how many listen."""
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        body = await reader.readexactly(length)
        if head.startswith(b"HTTP/1.1 404"):
            counts.put_nowait(0)
        elif head.startswith(b"HTTP/1.1 200"):
            counts.put_nowait(int(json.loads(body)["subscribers"]))


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
