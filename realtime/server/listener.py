"""The listening socket: bounded in what it buffers for a client that does not read, and in how long it waits for one."""

from __future__ import annotations

import resource
import socket

from realtime.errors import NoAddress

BACKLOG = 16_384
"""Connections that wait to be taken, as far as the system allows (somaxconn): one that finds no room tries again after 1, 3, 7 ... seconds."""
USER_TIMEOUT_MS = 15_000
"""TCP_USER_TIMEOUT: how long sent data may stay unread before the system drops the connection, even while the peer keeps acknowledging."""
SEND_BUFFER_BYTES = 65_536
"""SO_SNDBUF: without it the system keeps megabytes for a client that does not read."""
MOST_FILES = 65_536


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket whose options every accepted connection inherits. Raises: NoAddress."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise NoAddress(
            f"Cannot listen on {host}: {error.strerror}. Set host to an address of this machine, or 0.0.0.0 for all."
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise NoAddress(
            f"Cannot listen on {host} port {port}: {error.strerror}. Stop the program that uses it, or set PORT to another."
        ) from error
    listener.setblocking(False)
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser finds it, as `http://host:port`."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not listened on; everywhere is here too
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def everywhere(listener: socket.socket) -> bool:
    """Whether it listens on every address of the machine."""
    return listener.getsockname()[0] in {"0.0.0.0", "::"}  # noqa: S104 - read, not listened on


def allow_files() -> int:
    """Raises this process's limit of open files as far as it may. Returns the limit: each socket takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):  # macOS has a lower limit than the one it tells
            return soft
        return most
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft
