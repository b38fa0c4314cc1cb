"""What a process remembers for a while, and never more than so much of it."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """Values by their keys, each for its seconds; when there are too many, the one remembered first is forgotten."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        good_until, value = self._kept.get(key, (0.0, None))
        return value if good_until > self._clock() else None

    def keep(self, key: K, value: V, *, seconds: float) -> V:
        """Remember `value`, and give it back."""
        self._kept[key] = (self._clock() + seconds, value)
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return value
