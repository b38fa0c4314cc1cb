"""Waiting for what comes about by itself, no longer than it may take."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T]], is_so: Callable[[T], bool] = bool, *, seconds: float = 30) -> T:
    """What `look` finds once it `is_so`; raises `TimeoutError` when it is not in time."""
    async with asyncio.timeout(seconds):
        while True:
            found = await look()
            if is_so(found):
                return found
            await asyncio.sleep(0.02)
