"""The last events of all tenants, kept so that whoever was cut off can go on where he was."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from gateway.realtime.cursor import Positions, mark_of
from gateway.realtime.repeats import Repeats
from gateway.realtime.shown import SHOWN, public_json
from shared.bus import Beginning, Place, Placed

log = structlog.get_logger()

_TYPES: Final = {event.type.encode(): (event.type, scope) for event, scope in SHOWN.items()}
_ENTRY_BYTES: Final = 600
"""What an entry takes in memory beside what it holds."""


@dataclass(slots=True)
class Entry:
    """An event where it stands, made public when somebody first looks at it."""

    place: Place
    offset: int
    id: str
    """The position after it, as the reader of everything sees it."""
    type: str
    scope: str
    moment: bytes
    value: bytes
    log: "Log"
    size: int
    at: float
    _public: str | None = None

    def public(self) -> str | None:
        """What is shown of it beside its id; None when it cannot be read."""
        if self.value:
            self._public = public_json(self.type, self.moment.decode(errors="replace"), self.value)
            self.value = b""
        return self._public


@dataclass(slots=True)
class Log:
    """The entries of one tenant, oldest first, and who reads them."""

    tenant: bytes
    """Its id as it stands in the records' headers."""
    begin: int = 0
    """The number of the first entry that is still there."""
    entries: deque[Entry] = field(default_factory=deque)
    news: set[asyncio.Event] = field(default_factory=set)
    """To be set when an entry came, one for each of its readers."""

    @property
    def end(self) -> int:
        return self.begin + len(self.entries)

    def since(self, number: int) -> Iterator[Entry]:
        """From the entry of this number on."""
        # By index: a deque reaches its end from the end.
        return (self.entries[index] for index in range(number - self.begin, len(self.entries)))

    def forget_first(self) -> None:
        self.entries.popleft()
        self.begin += 1

    def forget_all(self) -> None:
        self.begin = self.end
        self.entries.clear()


class Ring:
    """Keeps what is shown, in the order in which it was read, bounded by count, bytes and age.

    It is every reader's queue: who is slower than it turns is cut off, and nobody waits for him.
    """

    def __init__(self, *, most: int, most_bytes: int, seconds: float) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._logs: dict[bytes, Log] = {}
        self._repeats = Repeats()
        self._floors: dict[Place, int] = {}
        self._ends: dict[Place, int] = {}
        self.positions = Positions()
        """After all that was read."""
        self.turns = 0
        """How often reading began anew."""
        self.ready = asyncio.Event()
        """Set once everything was read that was there when reading began."""

    def begin(self, beginning: Beginning) -> None:
        """Forget what was read: it stands elsewhere now, or nowhere."""
        for kept in self._logs.values():
            kept.forget_all()
        self._entries.clear()
        self._bytes = 0
        self._repeats.begin_anew()
        # What is told again is not kept again: so of another life of the log, only what is new can be told.
        self._floors = dict(beginning.ends if self.turns else beginning.since)
        self._ends = dict(beginning.ends)
        self.positions = Positions(mark_of(beginning.life), beginning.starts)
        self.turns += 1

    def take(self, records: Sequence[Placed]) -> None:
        """Keep what is shown of these, wake who may see it, and forget what is too much or too old."""
        touched: dict[bytes, Log] = {}
        for record in records:
            self.positions.move(record.place, record.offset + 1)
            if (entry := self._entry(record)) is not None:
                self._entries.append(entry)
                self._bytes += entry.size
                entry.log.entries.append(entry)
                touched[entry.log.tenant] = entry.log
        self._forget_old()
        for kept in touched.values():
            for news in kept.news:
                news.set()
        if not self.ready.is_set() and self.positions.reach(self._ends.items()):
            self.ready.set()

    def log_of(self, tenant_id: UUID) -> Log:
        """The tenant's log, to be given back by `leave`."""
        return self._log_of(str(tenant_id).encode())

    def leave(self, kept: Log) -> None:
        if not kept.news and not kept.entries:
            self._logs.pop(kept.tenant, None)

    def misses(self, after: Positions) -> str | None:
        """Why what came after these positions can no longer be told in full; None when it can."""
        if after.life != self.positions.life:
            return "log_began_anew"
        if any(after[place] < floor for place, floor in self._floors.items()):
            return "too_old"
        return None

    def _entry(self, record: Placed) -> Entry | None:
        """What is to be kept of a record, if anything."""
        shown = _TYPES.get(record.headers.get("ce_type", b""))
        if shown is None or record.value is None:
            return None
        type_, scope = shown
        try:
            id_, moment, tenant = (record.headers[name] for name in ("ce_id", "ce_time", "ce_tenantid"))
        except KeyError:
            log.warning("a record has no envelope", type=type_)
            return None
        new = self._repeats.is_new(record.place, record.offset, id_)
        if not new or record.offset < self._floors.get(record.place, 0):
            return None
        position = str(self.positions)
        size = len(record.value) + len(position) + _ENTRY_BYTES
        return Entry(
            record.place,
            record.offset,
            position,
            type_,
            scope,
            moment,
            record.value,
            self._log_of(tenant),
            size,
            time.monotonic(),
        )

    def _log_of(self, tenant: bytes) -> Log:
        found = self._logs.get(tenant)
        if found is None:
            found = self._logs[tenant] = Log(tenant)
        return found

    def _forget_old(self) -> None:
        oldest = time.monotonic() - self._seconds
        entries = self._entries
        while entries and (len(entries) > self._most or self._bytes > self._most_bytes or entries[0].at < oldest):
            entry = entries.popleft()
            self._bytes -= entry.size
            self._floors[entry.place] = entry.offset + 1
            entry.log.forget_first()
            self.leave(entry.log)
