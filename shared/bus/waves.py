"""A polled batch cut so that handlers work on sets and no key's order is broken."""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def waves(events: Sequence[T], *, key: Callable[[T], Hashable], kind: Callable[[T], object]) -> Iterator[list[T]]:
    """Waves of one kind each: for every key, the leading run of that kind, in the order of arrival.

    The kind of each wave is that of the next event of the key that was met first.
    """
    pending: dict[Hashable, deque[T]] = defaultdict(deque)
    for event in events:
        pending[key(event)].append(event)
    while pending:
        wanted = kind(next(iter(pending.values()))[0])
        wave: list[T] = []
        for name in list(pending):
            run = pending[name]
            while run and kind(run[0]) == wanted:
                wave.append(run.popleft())
            if not run:
                del pending[name]
        yield wave
