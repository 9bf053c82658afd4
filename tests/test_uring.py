"""An io_uring: what each socket takes, at once, in the right order, and nothing half done when it does not work. Collected where there is one."""

from __future__ import annotations

import errno
import gc
import platform
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import uring
from realtime.uring import ENTRIES, MOST_BYTES, Broken, Uring

Pairs = Callable[[int], list[tuple[socket.socket, socket.socket]]]


@pytest.fixture(scope="module")
def pairs() -> Iterator[Pairs]:
    """Pairs of sockets; what is sent to the first of a pair comes out of the second."""
    with ExitStack() as held:

        def make(number: int) -> list[tuple[socket.socket, socket.socket]]:
            made = []
            for _ in range(number):
                one, other = (held.enter_context(end) for end in socket.socketpair())
                one.setblocking(False)
                other.setblocking(False)
                made.append((one, other))
            return made

        yield make


@pytest.fixture(scope="module")
def many(pairs: Pairs) -> list[tuple[socket.socket, socket.socket]]:
    return pairs(ENTRIES)


def fill(socket: socket.socket) -> None:
    try:
        while True:
            socket.send(bytes(65_536))
    except BlockingIOError:
        pass


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def came(socket: socket.socket) -> bytes:
    try:
        return socket.recv(200_000)
    except BlockingIOError:
        return b""


@given(st.lists(st.tuples(st.integers(1, ENTRIES), st.integers(1, 300)), max_size=40))
def test_each_socket_gets_every_text_once_however_many_there_are(
    many: list[tuple[socket.socket, socket.socket]], calls: list[tuple[int, int]]
) -> None:
    own = Uring()
    for number, (sockets, size) in enumerate(calls):
        data = b"%d" % (number % 10) * size

        taken = own.send([one.fileno() for one, _ in many[:sockets]], data)

        assert taken == [size] * sockets
        assert [came(other) for _, other in many] == [data] * sockets + [b""] * (ENTRIES - sockets)


def test_who_has_no_room_who_has_left_and_what_is_no_file_are_told_apart_and_hold_up_nobody(pairs: Pairs) -> None:
    some = pairs(6)
    fill(some[1][0])
    some[2][1].close()
    files = [one.fileno() for one, _ in some]
    files[4] = -1
    own = Uring()

    for _ in range(ENTRIES):
        assert own.send(files, b"told") == [4, -errno.EAGAIN, -errno.EPIPE, 4, -errno.EBADF, 4]

    assert came(some[5][1]) == b"told" * ENTRIES


def test_who_has_room_for_a_part_takes_that(pairs: Pairs) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    one = socket.create_connection(listener.getsockname())
    other, _ = listener.accept()
    with listener, one, other:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        own, taken = Uring(), 0
        while (its := own.send([one.fileno()], bytes(MOST_BYTES))[0]) == MOST_BYTES:
            taken += its
        assert 0 < its < MOST_BYTES
        while own.send([one.fileno()], b"more")[0] != -errno.EAGAIN:
            taken += 4
        heard = 0
        other.settimeout(10)
        while heard < taken + its:
            heard += len(other.recv(1 << 20))
        assert heard == taken + its


def test_when_the_system_takes_fewer_than_it_was_given_the_rest_is_known_to_be_untouched(
    many: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Uring()
    submit = own._submit
    files = [one.fileno() for one, _ in many[:10]]
    own.send(files[:7], b"before")
    monkeypatch.setattr(own, "_submit", lambda number: submit(number - 4))

    with pytest.raises(Broken) as broken:
        own.send(files, b"told")

    assert broken.value.taken == [4] * 6 + [0] * 4
    assert [came(other) for _, other in many[:10]] == [b"beforetold"] * 6 + [b"before"] + [b""] * 3


def test_one_that_was_interrupted_sends_nothing_more(
    many: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or those who are told next would hear the new text in the places of the others."""
    own = Uring()
    files = [one.fileno() for one, _ in many]

    def interrupted(number: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(own, "_submit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            own.send(files[:10], b"told")
    with pytest.raises(Broken) as broken:
        own.send(files[10:13], b"told")

    assert broken.value.taken == [0, 0, 0]
    assert not any(came(other) for _, other in many)


def test_what_is_under_way_when_the_call_returns_is_not_known(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    """No system does that to sends that may not wait. One that did would not be used: see the next test."""
    monkeypatch.setattr(socket, "MSG_DONTWAIT", 0)
    some = pairs(3)
    fill(some[1][0])

    own = Uring()
    with pytest.raises(Broken) as broken:
        own.send([one.fileno() for one, _ in some], b"told")

    assert broken.value.taken == [4, None, 4]


def test_one_that_does_not_answer_at_once_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    uring.tried()
    monkeypatch.setattr(socket, "MSG_DONTWAIT", 0)

    with pytest.raises(OSError, match="does not send as it should"):
        uring.tried()


def test_an_older_system_is_asked_in_its_own_way_and_one_that_says_no_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uring, "_WAYS", (1 << 31, 0))
    uring.tried()

    monkeypatch.setattr(uring, "_WAYS", (1 << 31,))
    with pytest.raises(OSError, match="Invalid argument"):
        uring.tried()


def test_where_no_more_files_may_be_open_there_is_none() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            Uring()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_machine_whose_numbers_are_not_known_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "alpha")

    with pytest.raises(OSError, match="no io_uring is known"):
        Uring()


def test_nothing_of_one_is_left_open() -> None:
    uring.tried()
    gc.collect()
    before = open_files()

    for _ in range(20):
        uring.tried()
    gc.collect()

    assert open_files() == before
