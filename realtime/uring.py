"""An io_uring: Linux's way to hand over many sends in one call, where each would be a call of its own.

Sources: io_uring_setup(2), io_uring_enter(2), and linux/io_uring.h for the layouts. Only what sending takes is here. The process's own
thread does the work inside the call; no thread of the kernel's sends for it, and when the call has returned nothing is under way.
"""

from __future__ import annotations

import errno
import mmap
import os
import platform
import socket
import struct
import sys
import weakref
from array import array
from collections.abc import Sequence
from typing import Any

ENTRIES = 64
"""Sends in one call: more gain nothing, for what one send leaves in the processor's caches is of use to the next."""
MOST_BYTES = 65_536
"""Of one text that is sent to all."""

_SETUP, _ENTER = 425, 426
"""The same numbers on all of these machines."""
_MACHINES = frozenset({"x86_64", "aarch64", "riscv64", "ppc64le"})
_SUBMIT_ALL, _SINGLE_ISSUER, _DEFER_TASKRUN = 1 << 7, 1 << 12, 1 << 13
_WAYS = (_SUBMIT_ALL | _SINGLE_ISSUER | _DEFER_TASKRUN, _SUBMIT_ALL)
"""Flags to set it up with, the cheapest first: Linux 6.1, 5.18."""
_GETEVENTS = 1
_OP_SEND = 26
_SQ_RING, _CQ_RING, _SQES = 0, 0x8000000, 0x10000000
_PARAMS_BYTES, _FLAGS_AT, _SQ_AT, _CQ_AT = 120, 8, 40, 80
_SQE = struct.Struct("=BBHiQQIIQ24x")
_CQE_WORDS, _SQE_WORDS = 4, 16
_WRAP = 0xFFFFFFFF


class Broken(Exception):
    """The system did not answer all sends at once.

    Args:
        taken: what is known, in the order of the files: bytes, or -errno; None where it is not known whether anything was sent.
    """

    def __init__(self, taken: list[int | None]) -> None:
        super().__init__("io_uring did not answer all sends at once")
        self.taken = taken


class Uring:
    """Sends one text to many sockets. Only for the thread that made it. It ends with the last reference to it.

    Raises:
        OSError: the system has none, or does not allow it: containers often do not.
        ImportError: this Python cannot call the system.
    """

    def __init__(self) -> None:
        if sys.platform != "linux" or platform.machine() not in _MACHINES or sys.maxsize < 1 << 32:
            raise OSError(errno.ENOSYS, "no io_uring is known for this machine")
        import ctypes  # for those only who have so many to tell, and not every Python has it

        system = ctypes.CDLL(None, use_errno=True).syscall
        system.restype = ctypes.c_long
        system.argtypes = [ctypes.c_long, *[ctypes.c_long] * 4, ctypes.c_void_p, ctypes.c_size_t]
        self._system = system
        self._file, params = self._set_up(ctypes)
        weakref.finalize(self, os.close, self._file)
        entries, answers = struct.unpack_from("=2I", params)
        head, tail, _, _, _, _, index = struct.unpack_from("=7I", params, _SQ_AT)
        heard, told, _, _, _, results = struct.unpack_from("=6I", params, _CQ_AT)
        asked = self._shared(index + 4 * entries, _SQ_RING)
        self._asked, self._taken = asked[tail : tail + 4].cast("I"), asked[head : head + 4].cast("I")
        """How many sends were asked for, as the system is told, and how many it has looked at; modulo 2 ** 32, like all that follow."""
        asked[index : index + 4 * entries].cast("I")[:] = array("I", range(entries))
        answer = self._shared(results + 16 * answers, _CQ_RING)
        self._heard, self._told = answer[heard : heard + 4].cast("I"), answer[told : told + 4].cast("I")
        """How many answers were heard, as the system is told, and how many it gave."""
        words = answer[results : results + 16 * answers].cast("i")
        self._whose, self._results = words[0::_CQE_WORDS], words[2::_CQE_WORDS]
        self._text = mmap.mmap(-1, MOST_BYTES)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._text))
        sends = self._shared(64 * entries, _SQES)
        for number in range(entries):
            how = socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT
            _SQE.pack_into(sends, 64 * number, _OP_SEND, 0, 0, -1, 0, address, 0, how, number)
        words = sends.cast("i")
        self._files, self._sizes = words[1::_SQE_WORDS], words[6::_SQE_WORDS]
        self._loaded = b""
        self._at = 0
        """How many sends were asked for and answered."""
        self._entries, self._answers = entries, answers

    def send(self, files: Sequence[int], data: bytes) -> list[int]:
        """Sends as much as each file takes at once, and waits for none.

        Args:
            files: of sockets, at most ENTRIES.
            data: at most MOST_BYTES.

        Returns:
            For each file the bytes that it took, or -errno.

        Raises:
            Broken: it may not be used any more.
        """
        number, size = len(files), len(data)
        if self._asked[0] != self._at:  # an earlier call did not come to its end
            raise Broken([0] * number)
        if data is not self._loaded:
            self._text[:size] = data
            self._sizes[:] = array("i", (size,)) * self._entries
            self._loaded = data
        at, now = self._at % self._entries, self._at + number & _WRAP
        room = self._entries - at
        if number <= room:
            self._files[at : at + number] = array("i", files)
        else:
            self._files[at:] = array("i", files[:room])
            self._files[: number - room] = array("i", files[room:])
        self._asked[0] = now  # a plain store: the call that follows looks at it on this very processor
        self._submit(number)
        if self._told[0] != now:
            raise Broken(self._what_is_known(number))
        begin = self._at % self._answers
        taken: list[int] = self._results[begin : begin + number].tolist()
        if begin + number > self._answers:
            taken += self._results[: begin + number - self._answers].tolist()
        if taken.count(size) < number:
            taken = [each or 0 for each in self._in_order(number, number)]
        self._at = self._heard[0] = now
        return taken

    def _submit(self, number: int) -> None:
        self._system(_ENTER, self._file, number, 0, _GETEVENTS, None, 0)

    def _in_order(self, number: int, answered: int) -> list[int | None]:
        """The answers that came, each at the place of its question: they may come in another order."""
        taken: list[int | None] = [None] * number
        for answer in range(answered):
            where = (self._at + answer) % self._answers
            taken[(self._whose[where] - self._at) % self._entries] = self._results[where]
        return taken

    def _what_is_known(self, number: int) -> list[int | None]:
        """Of the last sends. Those that the system did not even look at took nothing."""
        taken = self._in_order(number, min(self._told[0] - self._at & _WRAP, number))
        looked_at = min(self._taken[0] - self._at & _WRAP, number)
        return [0 if each is None and place >= looked_at else each for place, each in enumerate(taken)]

    def _set_up(self, ctypes: Any) -> tuple[int, bytes]:
        for flags in _WAYS:
            params = ctypes.create_string_buffer(_PARAMS_BYTES)
            struct.pack_into("=I", params, _FLAGS_AT, flags)
            file = self._system(_SETUP, ENTRIES, ctypes.addressof(params), 0, 0, None, 0)
            if file >= 0:
                return file, params.raw
            if ctypes.get_errno() != errno.EINVAL:
                break
        raise OSError(ctypes.get_errno(), f"io_uring_setup: {os.strerror(ctypes.get_errno())}")

    def _shared(self, size: int, where: int) -> memoryview:
        return memoryview(mmap.mmap(self._file, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=where))


def tried() -> Uring:
    """One that was seen to do what is asked of it: to send, to say at once that there is no room, and to go on after a file that is none.

    Raises:
        OSError: there is none that does.
        ImportError: this Python cannot call the system.
    """
    uring = Uring()
    one, other = socket.socketpair()
    full, reader = socket.socketpair()
    with one, other, full, reader:
        full.setblocking(False)
        other.setblocking(False)
        try:
            while True:
                full.send(bytes(65_536))
        except BlockingIOError:
            pass
        try:
            taken = uring.send([one.fileno(), full.fileno(), -1, one.fileno()], b"tried")
            if taken == [5, -errno.EAGAIN, -errno.EBADF, 5] and other.recv(11) == b"triedtried":
                return uring
        except (Broken, BlockingIOError):
            pass
    raise OSError(errno.ENOSYS, "io_uring does not send as it should")
