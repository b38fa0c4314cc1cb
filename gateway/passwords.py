"""Passwords: hashed and verified off the loop, few at a time."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from gateway.domain import normal_password
from shared.http import Unavailable

_AT_ONCE: Final = 2
_WAITING: Final = 64

# The least that OWASP's Password Storage Cheat Sheet asks of argon2id: some 20 ms, and 19 MiB for each at once.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class Passwords:
    """Hashes passwords, and finds out whose one is, at the same cost whether it is anybody's."""

    def __init__(self, hasher: PasswordHasher, nobodys: str) -> None:
        self._hasher = hasher
        self._nobodys = nobodys
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    @classmethod
    async def ready(cls, hasher: PasswordHasher = _HASHER) -> Self:
        """With a hash at hand that no password has."""
        return cls(hasher, await asyncio.to_thread(hasher.hash, secrets.token_urlsafe()))

    async def hash(self, password: str) -> str:
        """The argon2id hash of a password (RFC 9106), salted; raises `Unavailable` when too many wait."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, normal_password(password))

    async def whose(self, password: str, hashes: Sequence[str], *, most: int) -> int | None:
        """Which of up to `most` hashes a password has; None when none, and then after `most` verifications.

        Raises `Unavailable` when too many wait.
        """
        filled = [*hashes, *[self._nobodys] * (most - len(hashes))]
        async with self._turn():
            return await asyncio.to_thread(self._first, normal_password(password), filled)

    def _first(self, password: str, hashes: Sequence[str]) -> int | None:
        return next((place for place, one in enumerate(hashes) if self._has(password, one)), None)

    def _has(self, password: str, password_hash: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerifyMismatchError:
            return False

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= _WAITING:
            raise Unavailable("Too many passwords are being looked at just now.")
        self._waiting += 1
        try:
            async with self._room:
                yield
        finally:
            self._waiting -= 1
