"""Which address of this server may be told to whom."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.web import addresses

PROXIES = ["127.0.0.1", "::1", "10.1.0.0/16"]


def scope(
    *,
    scheme: str = "http",
    client: tuple[str, int] | None = ("203.0.113.9", 41_000),
    server: tuple[str, int] | None = ("192.168.1.5", 8000),
    **headers: str,
) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "scheme": scheme, "client": client, "server": server, "headers": raw}


def test_the_settings_come_first() -> None:
    asked = scope(host="evil.example", x_forwarded_host="evil.example")

    assert addresses.seen_base(asked, "https://q.example/") == "https://q.example"
    assert addresses.public_base(asked, "https://q.example", PROXIES) == "https://q.example"


@pytest.mark.parametrize(
    ("asked", "seen", "public"),
    [
        # A stranger's Host comes back to the stranger, and to nobody else.
        (scope(host="evil.example"), "http://evil.example", "http://192.168.1.5:8000"),
        (scope(host="evil.example", x_forwarded_host="worse.example"), "http://evil.example", "http://192.168.1.5:8000"),
        (scope(client=("9.9.9.9", 5000), host="localhost:8000"), "http://localhost:8000", "http://192.168.1.5:8000"),
        # On this machine "localhost" can only be this machine; from elsewhere it is somebody else's word.
        (scope(client=("::1", 5000), server=("::1", 8000), host="localhost:8000"), "http://localhost:8000", "http://localhost:8000"),
        (scope(client=("192.168.1.66", 5000), host="localhost:1"), "http://localhost:1", "http://192.168.1.5:8000"),
        (scope(client=("192.168.1.66", 5000), host="evil.example"), "http://evil.example", "http://192.168.1.5:8000"),
        # A trusted proxy routes by Host, so that is checked: told by its address, or by the port 0 with which the server marks who stood
        # behind it. What a visitor wrote into X-Forwarded-Host is handed on by proxies, and counts for nothing.
        (scope(client=("127.0.0.1", 5000), host="queue.example"), "http://queue.example", "http://queue.example"),
        (scope(client=("10.1.2.3", 5000), host="queue.example", x_forwarded_host="evil.example"), "http://queue.example", "http://queue.example"),
        (scope(client=("203.0.113.9", 0), scheme="https", host="queue.example"), "https://queue.example", "https://queue.example"),
        (scope(client=("203.0.113.9", 0), scheme="https", host="queue.example:443"), "https://queue.example", "https://queue.example"),
        (scope(client=("203.0.113.9", 0), scheme="wss", host="Queue.Example"), "https://queue.example", "https://queue.example"),
        # What is no host name is no address.
        (scope(client=("203.0.113.9", 0), host="a/b"), "http://192.168.1.5:8000", "http://192.168.1.5:8000"),
        (scope(host="evil.example\r\nX: y"), "http://192.168.1.5:8000", "http://192.168.1.5:8000"),
        (scope(host='a"><script>'), "http://192.168.1.5:8000", "http://192.168.1.5:8000"),
        (scope(host="a:99999"), "http://192.168.1.5:8000", "http://192.168.1.5:8000"),
        (scope(host="user@evil.example"), "http://192.168.1.5:8000", "http://192.168.1.5:8000"),
        (scope(server=("::1", 8000), client=None), "http://[::1]:8000", "http://[::1]:8000"),
        (scope(server=None), "http://localhost", "http://localhost"),
    ],
)  # fmt: skip
def test_whose_word_counts(asked: dict[str, Any], seen: str, public: str) -> None:
    assert addresses.seen_base(asked, "") == seen
    assert addresses.public_base(asked, "", PROXIES) == public


def test_everybody_is_a_proxy_where_the_settings_say_so() -> None:
    assert addresses.public_base(scope(host="queue.example"), "", ["*"]) == "http://queue.example"


def test_a_header_given_twice_is_not_believed() -> None:
    asked = scope(client=("127.0.0.1", 5000))
    asked["headers"] = [(b"host", b"a.example"), (b"host", b"b.example")]

    assert addresses.seen_base(asked, "") == "http://192.168.1.5:8000"


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("https://q.example", True), ("HTTPS://Q.EXAMPLE", True), ("http://q.example", False), ("https://q.example:8443", False), ("https://q.example.evil.com", False),
        ("https://evilq.example", False), ("https://www.q.example", False), ("null", False), ("", False), ("https://q.example/", False), ("https://q.example@evil.com", False),
        ("q.example", False), ("https://evil.com", False),
    ],
)  # fmt: skip
def test_an_origin_is_ours_letter_by_letter(origin: str, own: bool) -> None:
    assert addresses.own_origin(origin, scope(host="evil.com"), "https://q.example") is own


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        (("203.0.113.9", 1), "203.0.113.9"), (("::ffff:203.0.113.9", 1), "203.0.113.9"), (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::", 1), "2001:db8:1:2::/64"), (("unix", 0), "unix"), (None, ""), (("x" * 500, 0), "x" * 64),
    ],
)  # fmt: skip
def test_visitors_are_counted_by_what_one_may_hold(client: tuple[str, int] | None, counted: str) -> None:
    assert addresses.client(scope(client=client)) == counted
