"""Wakes those in a process who rest until there is something to do; other processes hear nothing of it."""

import asyncio


class Bell:
    """Rung by whoever leaves work behind; that it was rung is remembered until somebody has heard it."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def rest(self, seconds: float) -> bool:
        """Rest until it rings, so many seconds at most; whether it rang."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True
