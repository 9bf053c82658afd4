"""How often one may try, and what is remembered of it."""

from __future__ import annotations

import pytest

from realtime.errors import TooMany
from realtime.web.limits import Buckets, Limits
from tests.web.conftest import HOST, PASSWORD, Clock, House, Open, new_owner


def test_so_many_at_once_and_then_so_many_a_minute() -> None:
    clock = Clock()
    buckets = Buckets(per_minute=6, burst=3, clock=clock.seconds)

    assert [buckets.wait("a") for _ in range(3)] == [0, 0, 0]
    assert buckets.wait("a") == pytest.approx(10)
    assert buckets.wait("b") == 0
    clock.ahead = 10.1
    assert buckets.wait("a") == 0
    assert buckets.wait("a") > 9


def test_a_refused_try_costs_nothing() -> None:
    clock = Clock()
    buckets = Buckets(60, 1, clock.seconds)
    buckets.take("a")

    for _ in range(50):
        with pytest.raises(TooMany) as refused:
            buckets.take("a")
    clock.ahead = 1.01

    assert refused.value.retry_after == 1
    buckets.take("a")


def test_memory_is_bounded_and_the_longest_unused_is_forgotten() -> None:
    buckets = Buckets(60, 2, Clock().seconds, size=100)

    buckets.take("busy")
    for index in range(1000):
        buckets.take(str(index))
        if index % 50 == 0:
            buckets.wait("busy")

    assert len(buckets) == 100
    assert buckets.wait("busy") > 0


def test_a_stranger_cannot_lock_an_owner_out() -> None:
    limits = Limits(10, 60, Clock().seconds)

    for _ in range(10):
        limits.sign_in("stranger", "luigi@example.com")
    with pytest.raises(TooMany):
        limits.sign_in("stranger", "luigi@example.com")

    limits.sign_in("at home", "luigi@example.com")


def test_one_address_cannot_try_every_account() -> None:
    limits = Limits(10, 60, Clock().seconds)

    for index in range(50):
        limits.sign_in("stranger", f"{index}@example.com")

    with pytest.raises(TooMany):
        limits.sign_in("stranger", "50@example.com")


async def test_a_guesser_is_told_when_to_come_back(open_house: Open) -> None:
    clock = Clock()
    house = await open_house(limits=Limits(3, 60, clock.seconds))
    owner = await new_owner(house)
    guesser = await house.client()
    wrong = {"email": owner.email, "password": "wrong password"}

    answers = [await guesser.post("/v1/login", json=wrong) for _ in range(5)]
    right = await (await house.client()).post("/v1/login", json={"email": owner.email, "password": PASSWORD})

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert answers[-1].json()["code"] == "too_many"
    assert right.status_code == 200


async def test_signing_in_rightly_is_not_counted(open_house: Open) -> None:
    house = await open_house(limits=Limits(3, 60, Clock().seconds))
    owner = await new_owner(house)
    browser = await house.client()

    answers = [await browser.post("/v1/login", json={"email": owner.email, "password": PASSWORD}) for _ in range(6)]

    assert {answer.status_code for answer in answers} == {200}


async def test_scans_are_counted_by_address(open_house: Open) -> None:
    house = await open_house(limits=Limits(10, 2, Clock().seconds))
    phone, page = await house.client(), await house.client(Origin=HOST, Accept="text/html")

    answers = [await phone.post("/v1/codes/a.b/scan", json={"key": "k" * 20}) for _ in range(3)]
    forms = [await page.post("/j/a.b", data={"step": "scan"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [answers[0].status_code] * 2 + [429]
    assert forms[-1].status_code == 429
    assert forms[-1].headers["content-type"].startswith("text/html")
    assert "retry-after" in forms[-1].headers


async def test_nobody_is_told_that_no_more_mail_goes_to_an_address(open_house: Open) -> None:
    house = await open_house(limits=Limits(100, 60, Clock().seconds))
    client = await house.client()

    answers = [await client.post("/v1/password/forgot", json={"email": "luigi@example.com"}) for _ in range(8)]

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}


async def test_what_is_left_is_told_with_the_refusal(open_house: Open) -> None:
    clock = Clock()
    house: House = await open_house(limits=Limits(2, 100, clock.seconds))
    visitor = await house.client()
    body = {"email": "nobody@example.org", "password": "four red lanterns"}

    first, second, third = [await visitor.post("/v1/login", json=body) for _ in range(3)]

    assert [answer.status_code for answer in (first, second, third)] == [401, 401, 429]
    assert third.headers["RateLimit-Policy"] == '"passwords";q=2;w=60'
    assert third.headers["RateLimit"] == '"passwords";r=0;t=60'
    assert third.headers["Retry-After"] == "30"


async def test_a_program_is_told_what_is_left_of_its_requests(open_house: Open) -> None:
    clock = Clock()
    house: House = await open_house(limits=Limits(100, 100, clock.seconds, programs=3))
    owner = await new_owner(house)
    made = (await owner.client.post("/v1/tokens", json={"name": "Till", "scopes": ["jobs"]})).json()
    program = await house.client(Authorization=f"Bearer {made['token']}")

    answers = [await program.get("/status") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit"] for answer in answers] == [
        '"programs";r=2;t=20', '"programs";r=1;t=40', '"programs";r=0;t=60', '"programs";r=0;t=60'
    ]  # fmt: skip
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"programs";q=3;w=60'}
    clock.ahead += 20
    assert (await program.get("/status")).status_code == 200
