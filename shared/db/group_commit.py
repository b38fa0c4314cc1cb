"""Many callers, one transaction: what arrives while a commit is under way waits for the next one, together."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from shared.db.bell import Bell
from shared.db.database import is_outage

T = TypeVar("T")

SHORTEST_SECONDS: Final = 0.01
LONGEST_SECONDS: Final = 0.03
_TIMES_AS_LONG: Final = 5
"""As a commit takes: so a busy machine, on which it takes longer, is spared more of them."""
_WEIGHT: Final = 1 / 4
"""Of one commit in how long they take."""
_LATE: Final = 16
"""The commits by which it is told how many callers come together."""
ENOUGH: Final = 32
"""Callers among whom the price of a commit is shared well enough."""


class TooBusyError(Exception):
    """More is waiting to be written than may wait."""


class Pace:
    """From the beginning of one commit to that of the next, in seconds: each that is spared spares all who hear of it
    later a batch, and leaves the cores of a busy machine to them (decision 17)."""

    def __init__(self) -> None:
        self.seconds = SHORTEST_SECONDS

    def took(self, seconds: float) -> None:
        """Follow how long a commit took."""
        wanted = min(max(_TIMES_AS_LONG * seconds, SHORTEST_SECONDS), LONGEST_SECONDS)
        self.seconds += (wanted - self.seconds) * _WEIGHT


class GroupCommit(Generic[T]):
    """Writes what concurrent callers bring in as few transactions as possible.

    `write` is given the items of all callers that wait, in the order in which they came, and returns when they are
    durable. Who comes soon after others waits for more of them, at the `Pace`, until there are as many as came together
    of late: so nobody waits for who waits himself to be answered. `at_once` bounds the weight of a transaction,
    `waiting` that of what waits for one, each as `weigh` tells it; what one caller brings stays together, whatever its
    weight.
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
        self.pace = Pace()
        self._next_at = 0.0
        self._together: deque[int] = deque(maxlen=_LATE)
        self._enough = Bell()

    async def add(self, items: Sequence[T]) -> None:
        """Return when `items` are durable; raises what `write` raised, or `TooBusyError`."""
        weight = sum(map(self._weigh, items))
        if self._waiting + weight > self._may_wait and self._queue:
            raise TooBusyError
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Brought(items, weight, durable))
        self._waiting += weight
        if self._is_enough:
            self._enough.ring()
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
                await self._wait_for_more()
                began = time.monotonic()
                await self._settle(self._take())
                self.pace.took(time.monotonic() - began)
                self._next_at = began + self.pace.seconds
        finally:
            self._writer = None

    async def _wait_for_more(self) -> None:
        while not self._is_enough:
            seconds = self._next_at - time.monotonic()
            if seconds <= 0 or not await self._enough.rest(seconds):
                break
        # Who comes at the same moment shares it.
        await asyncio.sleep(0)

    @property
    def _is_enough(self) -> bool:
        as_many = min(max(self._together, default=1), ENOUGH)
        return len(self._queue) >= as_many or self._waiting >= self._at_once

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
        self._together.append(count)
        return group


@dataclass(frozen=True, slots=True)
class _Brought(Generic[T]):
    items: Sequence[T]
    weight: int
    durable: "asyncio.Future[None]"
