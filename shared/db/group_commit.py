"""Many callers, one transaction: what arrives while a commit is under way waits for the next one, together."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from shared.db.database import is_outage

T = TypeVar("T")

PACE_SECONDS: Final = 0.01
"""From the beginning of one commit to that of the next: each that is spared spares all who hear of it later a batch.

Who comes alone does not wait for it, and where a commit takes as long, nobody does (decision 17).
"""


class TooBusyError(Exception):
    """More is waiting to be written than may wait."""


class GroupCommit(Generic[T]):
    """Writes what concurrent callers bring in as few transactions as possible.

    `write` is given the items of all callers that wait, in the order in which they came, and returns when they are
    durable; who comes soon after others waits for more of them. `at_once` bounds the weight of a transaction, `waiting`
    that of what waits for one, each as `weigh` tells it; what one caller brings stays together, whatever its weight.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[None]],
        *,
        at_once: int,
        waiting: int,
        weigh: Callable[[T], int] = lambda _: 1,
    ) -> None:
        self._write = write
        self._weigh = weigh
        self._at_once = at_once
        self._may_wait = waiting
        self._queue: list[_Brought[T]] = []
        self._waiting = 0
        self._writer: asyncio.Task[None] | None = None
        self._next_at = 0.0

    async def add(self, items: Sequence[T]) -> None:
        """Return when `items` are durable; raises what `write` raised, or `TooBusyError`."""
        weight = sum(map(self._weigh, items))
        if self._waiting + weight > self._may_wait and self._queue:
            raise TooBusyError
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Brought(items, weight, durable))
        self._waiting += weight
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
                if self._waiting < self._at_once:
                    await asyncio.sleep(self._next_at - time.monotonic())
                self._next_at = time.monotonic() + PACE_SECONDS
                await self._settle(self._take())
        finally:
            self._writer = None

    async def _settle(self, group: "Sequence[_Brought[T]]") -> None:
        try:
            await self._write([item for brought in group for item in brought.items])
        except Exception as failure:  # noqa: BLE001 - every caller is told of it as of his own
            if len(group) > 1 and not is_outage(failure):
                # One caller's items are at fault; the others must not suffer for them.
                for one in group:
                    await self._settle([one])
                return
            for brought in group:
                if not brought.durable.done():
                    brought.durable.set_exception(failure)
        else:
            for brought in group:
                if not brought.durable.done():
                    brought.durable.set_result(None)

    def _take(self) -> "Sequence[_Brought[T]]":
        weight = count = 0
        for brought in self._queue:
            if count and weight + brought.weight > self._at_once:
                break
            weight += brought.weight
            count += 1
        group, self._queue = self._queue[:count], self._queue[count:]
        self._waiting -= weight
        return group


@dataclass(frozen=True, slots=True)
class _Brought(Generic[T]):
    items: Sequence[T]
    weight: int
    durable: "asyncio.Future[None]"
