"""What becomes of an event whose handler fails: again, later, or never; and when to stop altogether."""

import random
from collections import defaultdict, deque


class Poison(Exception):
    """This event can never take effect here, however often it is tried; the sentence says why, without its content."""


def wait_before(attempt: int, *, first: float, longest: float) -> float:
    """Seconds to wait before the next attempt, doubling, with jitter so that many do not come back at once."""
    return min(longest, first * 2.0 ** min(attempt - 1, 30)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


class Fuse:
    """Blows when too many events die in a row, or too large a share of the last ones of a type: the code is at fault.

    By type, for what takes effect of others would hide for long that nothing of one does any more.
    """

    def __init__(self, *, in_a_row: int, share: float, window: int) -> None:
        self._in_a_row = in_a_row
        self._share = share
        self._window = window
        self._last: defaultdict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=window))
        self._run = 0
        self.blown = False
        """Once blown it stays so."""

    def took_effect(self, kind: str, count: int = 1) -> None:
        if count:
            self._run = 0
            self._last[kind].extend([False] * min(count, self._window))

    def died(self, kind: str) -> None:
        last = self._last[kind]
        self._run += 1
        last.append(True)
        if self._run >= self._in_a_row or sum(last) >= self._share * self._window:
            self.blown = True
