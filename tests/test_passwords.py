"""Passwords: hashed off the loop, and as slow to refuse for who has no account."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from realtime.passwords import Passwords


class Counting(Passwords):
    """Counts what it really verifies."""

    verified = 0

    def _verify(self, hashed: str, password: str) -> bool:
        self.verified += 1
        return super()._verify(hashed, password)


@pytest.fixture
def passwords() -> Iterator[Counting]:
    passwords = Counting(2)
    yield passwords
    passwords.close()


async def test_a_password_fits_its_own_hash_only(passwords: Counting) -> None:
    hashed = await passwords.hash("four red lanterns")

    assert await passwords.fits("four red lanterns", hashed)
    assert not await passwords.fits("four red lantern", hashed)
    assert not await passwords.fits("", hashed)


async def test_a_hash_is_argon2id_with_a_salt_of_its_own(passwords: Counting) -> None:
    one, other = await asyncio.gather(passwords.hash("same"), passwords.hash("same"))

    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other


async def test_without_a_hash_nothing_fits_and_as_much_is_computed(passwords: Counting) -> None:
    hashed = await passwords.hash("four red lanterns")

    for given in (None, hashed):
        passwords.verified = 0
        assert not await passwords.fits("wrong", given)
        assert passwords.verified == 1
    assert not await passwords.fits("nobody has this password", None)


@pytest.mark.parametrize("odd", ["", "\0", "ü" * 256, "\ud800", "x" * 100_000])
async def test_any_text_is_verified_and_refused(passwords: Counting, odd: str) -> None:
    hashed = await passwords.hash("four red lanterns")

    assert not await passwords.fits(odd, hashed)
    assert not await passwords.fits(odd, None)


@pytest.mark.parametrize("damaged", ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_a_hash_that_is_none_fits_nothing(passwords: Counting, damaged: str) -> None:
    assert not await passwords.fits("four red lanterns", damaged)


async def test_the_loop_goes_on_while_passwords_are_hashed(passwords: Counting) -> None:
    hashing = asyncio.gather(*(passwords.hash("x") for _ in range(4)))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)

    assert turns > 10
