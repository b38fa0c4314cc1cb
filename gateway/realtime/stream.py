"""What one caller is shown, event by event, from where he was."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from gateway.realtime.cursor import Positions
from gateway.realtime.ring import Ring
from shared.http import Caller

AHEAD_SECONDS: Final = 10
"""How long a position may be one that this gateway has not reached itself, before it counts as one of nowhere."""
PIECE_CHARACTERS: Final = 64 * 1024
"""How much is told in one go, more or less."""


class FellBehindError(Exception):
    """The reader is slower than the ring turns: what he was to be told next is no longer there."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it is shown."""

    id: str
    """The position after it: from there another stream, of any gateway, goes on with exactly what comes next."""
    type: str
    public: str
    """The members `type`, `occurred_at` and `data` of its JSON object."""

    @property
    def json(self) -> str:
        return f'{{"id":"{self.id}",{self.public}}}'


class Stream:
    """One reader of the ring. He is told each event once, and the events of a partition in their order.

    He stands where the ring's own reading stands, as long as that has reached his position; before, and while he is
    given what he missed, he has positions of his own.
    """

    def __init__(self, ring: Ring, caller: Caller, after: str | None) -> None:
        self.ended = asyncio.Event()
        """Set when the caller may not go on as he began."""
        self._news = asyncio.Event()
        self._ring = ring
        self._scopes = caller.scopes
        self._log = ring.log_of(caller.tenant_id)
        self._log.news.add(self._news)
        self._turns = ring.turns
        self._own: Positions | None = None
        self._next = self._log.end
        self._resync: str | None = None
        self._idle = True
        self._reached_by = time.monotonic() + AHEAD_SECONDS
        if after is not None:
            self._go_back(after)

    def close(self) -> None:
        self._log.news.discard(self._news)
        self._ring.leave(self._log)

    async def next(self, patience: float) -> Sequence[Told]:
        """What comes next, as much of it as is told in one go; raises `FellBehindError`.

        Nothing, if that is so at first, and later when nothing came for `patience` seconds.
        """
        while True:
            told = self._take()
            if told or self._idle:
                self._idle = False
                return told
            self._idle = not await self._wait(patience)

    def _take(self) -> Sequence[Told]:
        if self._turns != self._ring.turns:
            self._turns, self._own = self._ring.turns, None
        if self._next < self._log.begin:
            raise FellBehindError
        told, size = [], 0
        for one in self._unseen():
            told.append(one)
            size += len(one.id) + len(one.public)
            if size > PIECE_CHARACTERS:
                return told
        self._level()
        if self._resync is not None:
            told.append(self._say("resync", {"reason": self._resync}))
            self._resync = None
        return told

    async def _wait(self, seconds: float) -> bool:
        """Whether there may be news; false when there was none for that long."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def _go_back(self, after: str) -> None:
        try:
            positions = Positions.parse(after)
        except ValueError:
            self._resync = "unreadable_position"
            return
        self._resync = self._ring.misses(positions)
        if self._resync is None:
            self._own, self._next = positions, self._log.begin

    def _unseen(self) -> Iterator[Told]:
        for entry in self._log.since(self._next):
            self._next += 1
            id_ = entry.id
            if self._own is not None:
                if entry.offset < self._own[entry.place]:
                    continue
                self._own.move(entry.place, entry.offset + 1)
                id_ = str(self._own)
            if entry.scope in self._scopes and (public := entry.public()) is not None:
                yield Told(id_, entry.type, public)

    def _level(self) -> None:
        """All that is there was told: the ring's positions are the reader's, unless he came from ahead of it."""
        if self._own is None:
            return
        if self._ring.positions.reach(self._own.items()):
            self._own = None
        elif time.monotonic() > self._reached_by:
            self._own, self._resync = None, "unknown_position"

    def say_position(self) -> Told:
        """Where the reader stands, if `next` had nothing to tell just now."""
        return self._say("position", {})

    def _say(self, type_: str, data: Mapping[str, str]) -> Told:
        """What is no event, but of the stream itself."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        public = f'"type":"{type_}","occurred_at":"{now}","data":{orjson.dumps(data).decode()}'
        return Told(str(self._own or self._ring.positions), type_, public)
