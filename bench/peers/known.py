"""The list of compared servers: how each is got, started and listened to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import distributions, version
from pathlib import Path
from typing import NamedTuple

from bench.fan_load import Way
from bench.peers import installing
from realtime.settings import Settings

HERE = Path(__file__).parent
OURS = "nowserving"
OURS_AT_ONCE = "nowserving, no window"
OURS_ONE_BY_ONE = "nowserving, no io_uring"
BUN = "Bun"
NCHAN = "nchan"
C_LOOP = "C loop of send()"
SOCKET_IO = "Socket.IO"
PYTHON = ("Starlette send_text", "websockets.broadcast", "python-socketio", "Channels, daphne")
"""The Python servers that ours is compared with."""


class Start(NamedTuple):
    """A server that is there."""

    command: list[str]
    version: str = ""
    environment: Mapping[str, str] = {}
    pinned: bool = True
    """Whether the whole process belongs on the server's core; else it sees to that for the part that is measured."""


class Peer(NamedTuple):
    name: str
    get: Callable[[int, int], Start]
    """Called with the server's core (-1: any) and the files that a process may have open. Raises: NotThere."""
    way: Way = Way()


def peers(c_loop: Path | None) -> list[Peer]:
    """All of them, ours first. `c_loop` is the compiled send_loop.c, where there is a compiler."""
    socketio = Way(path="/socket.io/?EIO=4&transport=websocket", hellos=("40",), ready_after=2)
    window = str(Settings.defaults().flush_window_ms)
    return [
        Peer(OURS, lambda core, files: Start(_module("fanout_server", "extension", window), f"window {window} ms")),
        Peer(OURS_AT_ONCE, lambda core, files: Start(_module("fanout_server", "extension", "0"))),
        Peer(OURS_ONE_BY_ONE, lambda core, files: Start(_module("fanout_server", "one_by_one", window))),
        Peer(BUN, _bun),
        Peer(NCHAN, _nchan),
        Peer(C_LOOP, lambda core, files: _c_loop(c_loop), Way(raw=True)),
        Peer("ws", lambda core, files: _node("ws", "8", "ws.cjs")),
        Peer(SOCKET_IO, lambda core, files: _node("socket.io", "4", "socketio.cjs"), socketio),
        Peer(PYTHON[0], lambda core, files: Start(_module("fanout_server", "send_text"), version("starlette"))),
        Peer(PYTHON[1], lambda core, files: Start(_module("peers.websockets_broadcast"), version("websockets"))),
        Peer(PYTHON[2], lambda core, files: _python("python-socketio", ("python-socketio>=5.16,<6",), "python_socketio"), socketio),
        Peer(PYTHON[3], lambda core, files: _python("channels", ("channels>=4.3,<5", "daphne>=4.2,<5"), "channels_daphne")),
    ]


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"bench.{name}", *arguments]


def _c_loop(program: Path | None) -> Start:
    if program is None:
        raise installing.NotThere("no C compiler")
    return Start([str(program)])


def _bun(core: int, files: int) -> Start:
    folder = installing.npm("bun", "1")
    program = folder / "node_modules" / "bun" / "bin" / "bun.exe"
    if not program.exists():
        program = folder / "node_modules" / ".bin" / "bun"
    return Start([str(program), str(HERE / "bun.js")], _npm_version(folder, "bun"))


def _node(package: str, release: str, script: str) -> Start:
    node = installing.found("node")
    folder = installing.npm(package, release)
    return Start([node, str(HERE / script)], _npm_version(folder, package), {"NODE_PATH": str(folder / "node_modules")})


def _nchan(core: int, files: int) -> Start:
    nginx, module = installing.nchan()
    said = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"nginx/[\d.]+", said)
    return Start(_module("peers.nchan", nginx, module, str(core), str(files)), found[0] if found else "", pinned=False)


def _python(package: str, requirements: tuple[str, ...], module: str) -> Start:
    folder = installing.pip(package, *requirements)
    found = next((each.version for each in distributions(path=[str(folder)]) if each.metadata["Name"] == package), "")
    return Start(_module(f"peers.{module}"), found, {"PYTHONPATH": str(folder)})


def _npm_version(folder: Path, package: str) -> str:
    return str(json.loads((folder / "node_modules" / package / "package.json").read_text())["version"])
