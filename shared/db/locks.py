"""Locks on names: who holds one holds it alone until his transaction ends."""

import hashlib
from collections.abc import Iterable

from shared.db.statements import Session


def locks_of(names: Iterable[str]) -> list[int]:
    """The advisory locks that stand for these names, in the one order in which all take them."""
    return sorted({_lock(name) for name in names})


async def hold_names(names: Iterable[str], session: Session) -> None:
    """Wait until nobody else holds any of these names, and hold them all until the transaction ends."""
    if locks := locks_of(names):
        await session.hold(locks)


def _lock(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
