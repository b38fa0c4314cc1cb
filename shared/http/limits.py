"""How often somebody may come: counted a minute at a time, in this process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from shared.http.problems import TooManyRequests

MINUTE = 60
_REMEMBERED = 100_000


class Limit:
    """So many in a minute for each name."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._clock = clock
        self._counts: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()

    def left(self, name: Hashable) -> int:
        """How many are left to this name in this minute; below zero is too many."""
        return self.most - self._count(name)

    def take(self, name: Hashable) -> int:
        """Count one more; how many are left. Raises `TooManyRequests` when none was."""
        count = self._count(name) + 1
        self._counts[name] = (self._minute(), count)
        self._counts.move_to_end(name)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        if count > self.most:
            raise TooManyRequests(headers={"Retry-After": str(self.resets_in)})
        return self.most - count

    @property
    def resets_in(self) -> int:
        """Seconds until the minute is over."""
        return MINUTE - int(self._clock() % MINUTE)

    def _count(self, name: Hashable) -> int:
        minute, count = self._counts.get(name, (-1, 0))
        return count if minute == self._minute() else 0

    def _minute(self) -> int:
        return int(self._clock() // MINUTE)
