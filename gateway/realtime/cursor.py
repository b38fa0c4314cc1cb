"""Where a reader of the stream stands in every partition, and how that is written down for him."""

import base64
import binascii
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final, Self

from gateway.realtime.shown import TOPICS_READ
from shared.bus import Place

LONGEST: Final = 4096
"""Characters of a written position, far above what a house with many partitions needs."""

_VERSION: Final = 1
_LIFE_BYTES: Final = 6
_TOPIC_BYTES: Final = 4
_LARGEST: Final = 1 << 63


def _sign(topic: str) -> bytes:
    return zlib.crc32(topic.encode()).to_bytes(_TOPIC_BYTES)


_SIGNED: Final = {_sign(topic): topic for topic in TOPICS_READ}


class Positions:
    """The next offset in every place; a place that is not named stands at its beginning.

    Written down they are opaque and the same for every gateway: base64url of a version, of the life of the log (empty
    on a broker that keeps it), and for each topic of its CRC-32, its number of partitions, and their offsets, numbers
    being unsigned LEB128.
    """

    def __init__(self, life: bytes = b"", offsets: Mapping[Place, int] | None = None) -> None:
        self.life = life
        self._offsets = dict(offsets or {})
        self._parts: list[bytes] = []
        self._part: dict[Place, int] = {}

    def __getitem__(self, place: Place) -> int:
        return self._offsets.get(place, 0)

    def move(self, place: Place, offset: int) -> None:
        self._offsets[place] = offset
        part = self._part.get(place)
        if part is None:
            self._parts.clear()
        else:
            self._parts[part] = _number(offset)

    def copy(self) -> "Positions":
        return Positions(self.life, self._offsets)

    def reach(self, offsets: Iterable[tuple[Place, int]]) -> bool:
        """Whether none of these is still ahead."""
        return all(self._offsets.get(place, 0) >= offset for place, offset in offsets)

    def items(self) -> Iterable[tuple[Place, int]]:
        return self._offsets.items()

    def __str__(self) -> str:
        if not self._parts:
            self._lay_out()
        return base64.urlsafe_b64encode(b"".join(self._parts)).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The positions that were written down; raises `ValueError` for what was not written so."""
        if len(text) > LONGEST:
            raise ValueError("too long for a position")
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            raise ValueError("no base64url") from None
        numbers = _Reading(content)
        if numbers.take(1) != bytes([_VERSION]):
            raise ValueError("written by another version")
        life = numbers.take(numbers.number())
        return cls(life, dict(numbers.places()))

    def _lay_out(self) -> None:
        """Written in parts, so that a move changes one of them."""
        counts: dict[str, int] = defaultdict(int)
        for place in self._offsets:
            counts[place.topic] = max(counts[place.topic], place.partition + 1)
        self._parts = [bytes([_VERSION, len(self.life)]) + self.life]
        for topic, count in sorted(counts.items()):
            self._parts.append(_sign(topic) + _number(count))
            for number in range(count):
                place = Place(topic, number)
                self._part[place] = len(self._parts)
                self._parts.append(_number(self[place]))


def mark_of(life: frozenset[str]) -> bytes:
    """A short mark of a log's life; none of a log that is kept."""
    return sha256("\n".join(sorted(life)).encode()).digest()[:_LIFE_BYTES] if life else b""


class _Reading:
    """Takes written numbers one by one; raises `ValueError` where there is none."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, size: int) -> bytes:
        taken = self._content[self._at : self._at + size]
        if len(taken) < size:
            raise ValueError("cut short")
        self._at += size
        return taken

    def number(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if value >= _LARGEST:
                raise ValueError("too large for an offset")

    def places(self) -> Iterator[tuple[Place, int]]:
        """Of the topics that are known here; another version may have read others."""
        while self._at < len(self._content):
            topic = _SIGNED.get(self.take(_TOPIC_BYTES))
            for partition in range(self.number()):
                offset = self.number()
                if topic is not None:
                    yield Place(topic, partition), offset


def _number(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
