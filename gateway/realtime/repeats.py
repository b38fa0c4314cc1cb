"""Events that come twice, recognised the same way by every gateway."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from shared.bus import Place

DISTANCE: Final = 2_000
"""Offsets of one partition within which the same id is the same event: what may lie between an event and its second
publishing, after a relay died between the broker's word and its own commit."""
_MOST_REMEMBERED: Final = 100_000


class Repeats:
    """Tells what is new from what is not, by the log alone: gateways that read from different moments on agree.

    For that a gateway must have read `DISTANCE` records before the first about which it is asked.
    """

    def __init__(self) -> None:
        self._recent: Mapping[Place, dict[bytes, int]] = defaultdict(dict)
        self._former: set[bytes] = set()

    def is_new(self, place: Place, offset: int, id_: bytes) -> bool:
        """Whether no copy of this event stands shortly before it, nor was known when the log began anew."""
        recent = self._recent[place]
        while recent and recent[oldest := next(iter(recent))] < offset - DISTANCE:
            del recent[oldest]
        new = recent.pop(id_, None) is None and id_ not in self._former
        recent[id_] = offset
        return new

    def begin_anew(self) -> None:
        """The log is told again: what is known by now is no news in it."""
        if len(self._former) > _MOST_REMEMBERED:
            self._former.clear()
        self._former.update(*self._recent.values())
        self._recent = defaultdict(dict)
