"""What happens in chat sessions, told to the visitors' pages that listen to this process.

One question asks for all of them a few times a second, so that what another process wrote is told too; for what this
process wrote it is asked as soon as that has committed.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, event
from sqlalchemy.orm import Session

from services.ingest import store
from services.ingest.channels.web_chat import SESSION_LIFE
from services.ingest.handlers.chat import STEPPED, deliver
from services.ingest.store import Following, MessageOfSession
from shared.bus.retry import wait_before
from shared.db import Database, is_outage
from shared.http import TooManyRequests, Unavailable
from shared.telemetry import describe

log = structlog.get_logger()

Steps = Sequence[Row[Any]]

PAGES = 8
"""How many pages of one visitor may listen at once."""
AT_ONCE = 200
"""How many sessions one question asks for."""
RETRY_SECONDS = 5


class Listener:
    """One page that listens; it is told more when it has taken what it was told."""

    def __init__(self, tenant_id: UUID, session_id: UUID, after: int) -> None:
        self.tenant_id = tenant_id
        self.session_id = session_id
        self.seen = after
        self._told: asyncio.Queue[Steps | BaseException | None] = asyncio.Queue(1)

    async def next(self) -> Steps | None:
        """What happened since, when something has; None when the session is over. Raises what hindered the look."""
        told = await self._told.get()
        if isinstance(told, BaseException):
            raise told
        return told

    @property
    def is_ready(self) -> bool:
        return self._told.empty()

    def tell(self, told: Steps | BaseException | None) -> None:
        self._told.put_nowait(told)


class VisitorStreams:
    """The pages that listen to this process: `most` at once, each told within `every` seconds."""

    def __init__(self, database: Database, *, most: int, every: float) -> None:
        self._database = database
        self._most = most
        self._every = every
        self._listeners: defaultdict[UUID, set[Listener]] = defaultdict(set)
        self._count = 0
        self._stepped: set[UUID] = set()
        self._alarm = asyncio.Event()
        self._due = 0.0
        self._given: set[MessageOfSession] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look and tell until the block ends."""
        event.listen(Session, "after_commit", self._notice)
        looking = asyncio.create_task(self._run())
        try:
            yield
        finally:
            event.remove(Session, "after_commit", self._notice)
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    def check_room(self, session_id: UUID) -> None:
        """Raises `Unavailable` when the process has no room for another page, `TooManyRequests` when a visitor has."""
        if self._count >= self._most:
            raise Unavailable("Too many pages listen just now.", retry_after=RETRY_SECONDS)
        if len(self._listeners.get(session_id, ())) >= PAGES:
            raise TooManyRequests("Too many pages of this visitor listen.", headers={"Retry-After": str(RETRY_SECONDS)})

    @asynccontextmanager
    async def listening(self, tenant_id: UUID, session_id: UUID, after: int) -> AsyncIterator[Listener]:
        """A page that has seen all up to a step, and is told what comes after it."""
        listener = Listener(tenant_id, session_id, after)
        self._listeners[session_id].add(listener)
        self._count += 1
        self._wake([session_id])
        try:
            yield listener
        finally:
            self._count -= 1
            self._listeners[session_id].discard(listener)
            if not self._listeners[session_id]:
                del self._listeners[session_id]

    def gave(self, listener: Listener, steps: Steps) -> None:
        """These steps have gone out to the page: messages to the visitor among them are delivered."""
        self._given |= {
            MessageOfSession(listener.tenant_id, listener.session_id, step.id)
            for step in steps
            if step.direction == "outbound" and step.status == "sent"
        }

    def _notice(self, session: Session) -> None:
        if session.bind is self._database.engine.sync_engine:
            self._wake(session.info.get(STEPPED, ()))

    def _wake(self, session_ids: Iterable[UUID]) -> None:
        stepped = self._listeners.keys() & set(session_ids)
        if stepped:
            self._stepped |= stepped
            self._alarm.set()

    async def _run(self) -> None:
        failures = 0
        while True:
            sessions = await self._next_sessions()
            try:
                await self._deliver()
                for first in range(0, len(sessions), AT_ONCE):
                    await self._look(sessions[first : first + AT_ONCE])
            except Exception as failure:  # noqa: BLE001 - every listener is told of it as of his own
                if not is_outage(failure):
                    self._given.clear()
                    for listener in self._ready(sessions):
                        listener.tell(failure)
                    continue
                failures += 1
                log.warning("the visitors wait for the database", reason=describe(failure))
                await asyncio.sleep(wait_before(failures, first=self._every, longest=5))
            else:
                failures = 0

    async def _next_sessions(self) -> Sequence[UUID]:
        """Wait until something happened in sessions or a look at all is due; which to look at."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(self._due):
                await self._alarm.wait()
        except TimeoutError:
            pass  # then all are due
        self._alarm.clear()
        stepped, self._stepped = self._stepped, set()
        if loop.time() < self._due:
            return list(stepped)
        self._due = loop.time() + self._every
        return list(self._listeners)

    async def _deliver(self) -> None:
        given = frozenset(self._given)
        if given:
            async with self._database.unit_of_work({message.tenant_id for message in given}) as uow:
                await deliver(given, uow)
            self._given -= given

    async def _look(self, sessions: Sequence[UUID]) -> None:
        listeners = self._ready(sessions)
        if not listeners:
            return
        async with self._database.unit_of_work({listener.tenant_id for listener in listeners}) as uow:
            rows = await store.news_of_sessions(_following(listeners), uow.session, used_since=uow.now - SESSION_LIFE)
        news: defaultdict[UUID, list[Row[Any]]] = defaultdict(list)
        for row in rows:
            news[row.session_id].append(row)
        for listener in listeners:
            if listener.session_id in news:
                _tell(listener, news[listener.session_id])

    def _ready(self, sessions: Sequence[UUID]) -> list[Listener]:
        return [one for each in sessions for one in self._listeners.get(each, ()) if one.is_ready]


def _following(listeners: Iterable[Listener]) -> list[Following]:
    """Each session once, after what the hindmost of its pages has seen."""
    seen: dict[tuple[UUID, UUID], int] = {}
    for one in listeners:
        key = one.tenant_id, one.session_id
        seen[key] = min(one.seen, seen.get(key, one.seen))
    return [Following(*key, after) for key, after in seen.items()]


def _tell(listener: Listener, rows: Steps) -> None:
    last_step = rows[0].last_step
    if last_step is None:
        listener.tell(None)
        return
    new = [row for row in rows if row.step is not None and row.step > listener.seen]
    # What was erased has left no step.
    reached = rows[-1].step if len(rows) == store.MOST_STEPS else last_step
    listener.seen = max(listener.seen, reached)
    if new:
        listener.tell(new)
