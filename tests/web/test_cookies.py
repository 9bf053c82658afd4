"""What browsers are given to keep, and under which names."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.web.cookies import MAX_TICKETS, Cookies
from tests.web.conftest import Open, new_owner


def scope(*cookies: str) -> dict[str, Any]:
    return {"headers": [(b"cookie", cookie.encode()) for cookie in cookies]}


def test_over_tls_a_cookie_belongs_to_this_host_alone() -> None:
    made = Cookies(secure=True).set_session("abc.def", 30)

    assert made.startswith("__Host-nowserving_session=abc.def; ")
    assert set(made.split("; ")[1:]) == {"Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Strict", "Secure"}


def test_on_plain_http_its_name_is_plain_too() -> None:
    made = Cookies(secure=False).set_tickets(["a.1.x"], [], 60)

    assert made.startswith("nowserving_ticket=")
    assert "Secure" not in made
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(made.split("; "))


def test_a_plain_cookie_does_not_count_over_tls() -> None:
    assert Cookies(secure=True).read_tickets(scope("nowserving_ticket=a.1.x")) == ()


def test_tickets_are_held_newest_first_and_the_oldest_give_way() -> None:
    cookies = Cookies(secure=False)

    made = cookies.set_tickets(["n1", "n2", "o2"], ["o1", "o2", "o3", "o4"], 60)

    held = cookies.read_tickets(scope(made.partition(";")[0]))
    assert held == ("n1", "n2", "o2", "o1", "o3")
    assert len(held) == MAX_TICKETS


def test_the_longest_tickets_fit_into_one_cookie() -> None:
    assert len(Cookies(secure=True).set_tickets(["x" * 511 + str(index) for index in range(5)], [], 60)) < 4096


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nowserving_ticket=",
        "nowserving_ticket=a b",
        'nowserving_ticket="a"',
        "nowserving_ticket=a\x00",
        "nowserving_ticket=a,b",
        "nowserving_ticket=é",
        "nowserving_ticket=" + "x" * 600,
        "nowserving_ticketx=a",
        "nowserving_ticket=a; nowserving_ticket=b",
        "=a; nowserving_ticket",
    ],
)
def test_a_cookie_with_strange_characters_is_no_cookie(given: str) -> None:
    assert Cookies(secure=False).read_tickets(scope(given)) == ()


async def test_the_public_address_decides_which_cookies_are_set(open_house: Open) -> None:
    house = await open_house(public_url="https://q.example")

    owner = await new_owner(house, base="http://q.example")

    (name,) = owner.client.cookies
    assert name == "__Host-nowserving_session"


async def test_a_browser_behind_a_tls_proxy_gets_secure_cookies(open_house: Open) -> None:
    house = await open_house()

    owner = await new_owner(house, base="https://q.example")

    assert [cookie.secure for cookie in owner.client.cookies.jar] == [True]


def test_a_cookie_takes_nothing_that_could_end_it() -> None:
    for value in ("a;b", "a b", "a\r\nSet-Cookie: x=y", 'a"b', "é"):
        with pytest.raises(ValueError, match="cannot hold"):
            Cookies(secure=False).set_session(value, 1)
