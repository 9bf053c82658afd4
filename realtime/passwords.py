"""Passwords, hashed with Argon2id on threads of their own, never on the event loop."""

from __future__ import annotations

import asyncio
import base64
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_PASSES = 2
_MEMORY_KIB = 19_456
"""19 MiB, two passes, one lane: OWASP's floor for Argon2id, and as much as a small dyno can spare for several at once."""


def _random(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


class Passwords:
    """
    Args:
        workers: hashes that may be computed at the same time.
    """

    def __init__(self, workers: int) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
        self._pool = ThreadPoolExecutor(workers, "passwords")
        # Looks like any other hash and costs as much to compute; what it is the hash of, nobody knows.
        self._nobody = f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p=1${_random(16)}${_random(32)}"

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._hasher.hash, password)

    async def fits(self, password: str, hashed: str | None) -> bool:
        """Whether a password belongs to a hash. Without a hash it takes as long, so that time tells nothing about who has an account."""
        given = self._nobody if hashed is None else hashed
        fits = await asyncio.get_running_loop().run_in_executor(self._pool, self._verify, given, password)
        return fits and hashed is not None

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
