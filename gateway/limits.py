"""How often a caller of the gateway may come, and how much he may hold open at once."""

from collections import Counter
from collections.abc import Hashable

from shared.http import TooManyRequests

_RETRY_SECONDS = 30


class Places:
    """So many at the same time, for each name and for all together."""

    def __init__(self, each: int, together: int) -> None:
        self._each = each
        self._free = together
        self._taken: Counter[Hashable] = Counter()

    def take(self, name: Hashable) -> None:
        """Take a place, to be left again; raises `TooManyRequests` when there is none."""
        if not self._free or self._taken[name] >= self._each:
            raise TooManyRequests("Too many are open already.", headers={"Retry-After": str(_RETRY_SECONDS)})
        self._taken[name] += 1
        self._free -= 1

    def leave(self, name: Hashable) -> None:
        self._free += 1
        self._taken[name] -= 1
        if not self._taken[name]:
            del self._taken[name]
