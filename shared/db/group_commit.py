"""Many callers, one transaction: what arrives while a commit is under way waits for the next one, together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.db.database import is_outage

T = TypeVar("T")
Brought = tuple[Sequence[T], "asyncio.Future[None]"]


class TooBusyError(Exception):
    """More is waiting to be written than may wait."""


class GroupCommit(Generic[T]):
    """Writes what concurrent callers bring in as few transactions as possible.

    `write` is given the items of all callers that wait, in the order in which they came, and returns when they are
    durable.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]], *, at_once: int, waiting: int) -> None:
        self._write = write
        self._at_once = at_once
        self._may_wait = waiting
        self._queue: list[Brought[T]] = []
        self._waiting = 0
        self._writer: asyncio.Task[None] | None = None

    async def add(self, items: Sequence[T]) -> None:
        """Return when `items` are durable; raises what `write` raised, or `TooBusyError`."""
        if self._waiting + len(items) > self._may_wait and self._queue:
            raise TooBusyError
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((items, durable))
        self._waiting += len(items)
        if self._writer is None:
            self._writer = asyncio.create_task(self._drain())
        await durable

    async def close(self) -> None:
        """Wait until all that was added is written."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    async def _drain(self) -> None:
        try:
            while self._queue:
                await self._settle(self._take())
        finally:
            self._writer = None

    async def _settle(self, group: Sequence[Brought[T]]) -> None:
        try:
            await self._write([item for items, _ in group for item in items])
        except Exception as failure:  # noqa: BLE001 - every caller is told of it as of his own
            if len(group) > 1 and not is_outage(failure):
                # One caller's items are at fault; the others must not suffer for them.
                for one in group:
                    await self._settle([one])
                return
            for _, durable in group:
                if not durable.done():
                    durable.set_exception(failure)
        else:
            for _, durable in group:
                if not durable.done():
                    durable.set_result(None)

    def _take(self) -> Sequence[Brought[T]]:
        size = count = 0
        for brought, _ in self._queue:
            if count and size + len(brought) > self._at_once:
                break
            size += len(brought)
            count += 1
        group, self._queue = self._queue[:count], self._queue[count:]
        self._waiting -= size
        return group
