"""Dropping a connection whose peer does not read: what waits for it in the system goes with it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct

_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER, see socket(7): closing sends a reset and keeps nothing. Without it the system would keep what was sent until TCP_USER_TIMEOUT."""


def drop(transport: asyncio.Transport) -> None:
    """Ends the connection now, with a reset."""
    plain = transport.get_extra_info("socket")
    if plain is not None and plain.fileno() >= 0:
        with socket.socket(fileno=os.dup(plain.fileno())) as same:  # uvloop's own has no options
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
