"""Whether this machine lets a process have an io_uring; many containers do not."""

from __future__ import annotations

from realtime import uring


def _has_them() -> bool:
    try:
        uring.tried()
    except OSError:
        return False
    return True


HAS_THEM = _has_them()
