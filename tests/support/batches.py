"""Whether this machine lets a process have an io_uring; many containers do not. Asked without the code that is tested with it."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

IO_URING_SETUP = 425


def _has_them() -> bool:
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None, use_errno=True).syscall
    file = system(IO_URING_SETUP, 4, ctypes.create_string_buffer(120))
    if file >= 0:
        os.close(file)
    elif ctypes.get_errno() not in {errno.ENOSYS, errno.EPERM, errno.EACCES}:
        raise OSError(ctypes.get_errno(), "io_uring_setup")
    return bool(file >= 0)


HAS_THEM = _has_them()
