"""Does the jobs that are due: one at a time for each key, with no transaction open while something outside is called.

A job that only changes this database is done in the transaction that removes it, so that it takes effect once. A job
that calls outside is claimed and committed, called without a transaction, and recorded in another one; if the process
dies in between, nobody knows what became of the call, and `lost` decides: it is not simply called again, unless that
does no harm. A slow call holds up the jobs of its own key and nobody else: so many jobs run at once, and each that ends
makes room for the next.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import structlog
from pydantic import ValidationError
from sqlalchemy import Row

from shared.bus.retry import Poison, wait_before
from shared.db import CALLED, JOBS, Database, DeadLetter, Job, Statement, UnitOfWork, is_outage
from shared.ids import new_id
from shared.telemetry import DEAD_LETTERS, JOBS_DONE, describe

log = structlog.get_logger()

LEASE_SECONDS = 60
CALL_SECONDS = 45
IDLE_SECONDS = 0.5
IDLE_SECONDS_FOR_OTHERS = 0.1
"""How often it is looked for what is due, by a worker that does what other processes schedule."""
GATHER_SECONDS = 0.005
"""After a job has ended or was scheduled, so that those that end or come with it are followed by one claim."""
AT_ONCE = 64
RECORDING = 4
"""How many are in a transaction at once, so that a burst of jobs leaves connections to the API."""
ATTEMPTS = 10

Handler = Callable[[Any, UnitOfWork], Awaitable[None]]


class Again(Exception):
    """Nothing was done yet, and it is too early: do it after so many seconds. That is no failure, and not counted."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Outside:
    """A job in three steps: `read` what the call needs, `call` outside with it, `record` what came of that."""

    read: Callable[[Any, UnitOfWork], Awaitable[Any]]
    call: Callable[[Any, Any], Awaitable[Any]]
    """Given what `read` gave, and the tools of the service's `furnish`.

    Raises where nothing was done outside, and is called again; after a `TimeoutError` nobody knows.
    """
    record: Callable[[Any, Any, UnitOfWork], Awaitable[None]]
    lost: Handler | None = None
    """Writes down that the outcome of an earlier call is not known; none where to call again does no harm."""


Does = Mapping[type[Job], Handler | Outside]

# The first job of each key, if it is due and nobody is at it: an earlier one, even one put off, holds back the later.
_CLAIM = Statement("""
WITH first AS (
  SELECT id, lease_until IS NOT NULL AS lost FROM jobs AS due
  WHERE due_at <= now() AND (lease_until IS NULL OR lease_until < now())
    AND NOT EXISTS (SELECT FROM jobs AS earlier WHERE earlier.key = due.key AND earlier.id < due.id)
  ORDER BY due_at LIMIT :at_once FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET lease_until = now() + :lease, attempts = attempts + 1 FROM first WHERE jobs.id = first.id
RETURNING jobs.id, type, key, payload, attempts, lost
""")
# `attempts` is the fence: whoever claimed the job since has a higher one.
_FINISH = Statement("DELETE FROM jobs WHERE id = :id AND attempts = :attempts RETURNING id")
# Where a call was made, a lease that has run out stays and tells it.
_PUT_OFF = Statement("""
UPDATE jobs SET due_at = now() + :wait, lease_until = CASE WHEN :called THEN now() END, attempts = :counted
WHERE id = :id AND attempts = :attempts
""")


class Worker:
    """Does one service's jobs for as long as it runs; several workers share them.

    What this process schedules it begins at once; one that works `for_others` looks for it more often.
    """

    def __init__(
        self,
        does: Does,
        database: Database,
        tools: Any = None,
        *,
        lease: float = LEASE_SECONDS,
        for_others: bool = False,
    ) -> None:
        self._does = {job.type: (job, handler) for job, handler in does.items()}
        self._database = database
        self._tools = tools
        self._lease = timedelta(seconds=lease)
        self._idle = IDLE_SECONDS_FOR_OTHERS if for_others else IDLE_SECONDS
        self._recording = asyncio.Semaphore(RECORDING)
        self._leaving = False

    def leave(self) -> None:
        """Claim no more, finish what was claimed, and let `run` return."""
        self._leaving = True

    async def run(self) -> None:
        """Do jobs until told to leave; a database that is away does not end it."""
        running: set[asyncio.Task[None]] = set()
        failures = 0
        try:
            while running or not self._leaving:
                try:
                    if not self._leaving:
                        running |= await self._start(AT_ONCE - len(running))
                    ended, running = await self._ended(running)
                    _raise_first(ended)
                except Exception as failure:
                    if not is_outage(failure):
                        raise
                    failures += 1
                    await asyncio.sleep(wait_before(failures, first=0.2, longest=5))
                else:
                    failures = 0
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _ended(
        self, running: "set[asyncio.Task[None]]"
    ) -> "tuple[set[asyncio.Task[None]], set[asyncio.Task[None]]]":
        """Those that have ended and those that have not, after one has ended, a job was scheduled, or a while."""
        resting = asyncio.create_task(self._database.scheduled.rest(self._idle))
        try:
            woken, _ = await asyncio.wait({resting, *running}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            resting.cancel()
        if woken - {resting} or (resting in woken and resting.result()):
            await asyncio.sleep(GATHER_SECONDS)
        return {task for task in running if task.done()}, {task for task in running if not task.done()}

    async def do_due(self) -> int:
        """Do the jobs that are due now; how many were tried."""
        started = await self._start(AT_ONCE)
        # One that could not even be put off leaves the others to finish.
        for failure in await asyncio.gather(*started, return_exceptions=True):
            if failure is not None:
                raise failure
        return len(started)

    async def _start(self, at_once: int) -> set[asyncio.Task[None]]:
        if not at_once:
            return set()
        async with self._database.transaction() as session:
            claim = await session.execute(_CLAIM, {"lease": self._lease, "at_once": at_once})
            jobs = claim.all()
        return {asyncio.create_task(self._do(row)) for row in jobs}

    async def _do(self, row: Row[Any]) -> None:
        called = row.lost
        try:
            job, handler = self._read(row)
            if isinstance(handler, Outside):
                lost = handler.lost
                handler = lost if row.lost and lost is not None else await self._call(job, handler)
                called = lost is not None
            # What is known of a call must not be lost with a connection.
            await self._insist(partial(self._record, row, job, handler))
        except Again as again:
            await self._insist(partial(self._put_off, row, again.seconds, called=called, counted=row.attempts - 1))
        except Poison as never:
            await self._bury(row, str(never), called=called)
        except Exception as failure:
            log.warning("a job failed", type=row.type, attempts=row.attempts, exc_info=failure)
            if row.attempts >= ATTEMPTS and not is_outage(failure):
                await self._bury(row, describe(failure), called=called)
            else:
                wait = wait_before(row.attempts, first=0.5, longest=300)
                await self._insist(partial(self._put_off, row, wait, called=called, counted=row.attempts))
        else:
            JOBS_DONE.labels(row.type, "done").inc()

    async def _insist(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write it down, again and again while the database is away, for as long as the lease may last."""
        failures, ends_at = 0, time.monotonic() + self._lease.total_seconds()
        while True:
            try:
                return await write()
            except Exception as failure:
                failures += 1
                wait = wait_before(failures, first=0.1, longest=5)
                if not is_outage(failure) or time.monotonic() + wait > ends_at:
                    raise
                await asyncio.sleep(wait)

    def _read(self, row: Row[Any]) -> tuple[Job, Handler | Outside]:
        if row.type not in self._does:
            raise Poison("no such job is done here any more")
        kind, handler = self._does[row.type]
        try:
            return kind.model_validate(row.payload), handler
        except ValidationError:
            raise Poison("its payload cannot be read any more") from None

    async def _call(self, job: Job, outside: Outside) -> Handler:
        """Call outside; what writes down how it went."""
        async with self._recording, self._database.unit_of_work([job.tenant_id]) as uow:
            needed = await outside.read(job, uow)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                outcome = await outside.call(needed, self._tools)
        except TimeoutError:
            if outside.lost is None:
                raise
            return outside.lost

        async def record(job: Job, uow: UnitOfWork) -> None:
            await outside.record(job, outcome, uow)

        return record

    async def _record(self, row: Row[Any], job: Job, handler: Handler) -> None:
        async with self._recording, self._database.unit_of_work([job.tenant_id]) as uow:
            finished = await uow.session.scalar(_FINISH, {"id": row.id, "attempts": row.attempts})
            if finished is not None:
                await handler(job, uow)

    async def _put_off(self, row: Row[Any], seconds: float, *, called: bool, counted: int) -> None:
        values = {"wait": timedelta(seconds=seconds), "called": called, "counted": counted}
        async with self._recording, self._database.transaction() as session:
            await session.execute(_PUT_OFF, values | {"id": row.id, "attempts": row.attempts})
        JOBS_DONE.labels(row.type, "put off").inc()

    async def _bury(self, row: Row[Any], reason: str, *, called: bool) -> None:
        log.error("a job became a dead letter", type=row.type, reason=reason)
        async with self._database.unit_of_work([_tenant(row)]) as uow:
            if await uow.session.scalar(_FINISH, {"id": row.id, "attempts": row.attempts}) is None:
                return
            uow.session.add(_dead_letter(row, reason, uow, called=called))
            handler = self._does[row.type][1] if row.type in self._does else None
            if isinstance(handler, Outside) and handler.lost is not None:
                # Whoever waits for what becomes of it must not wait for ever.
                await handler.lost(self._read(row)[0], uow)
        JOBS_DONE.labels(row.type, "died").inc()
        DEAD_LETTERS.inc()


def _raise_first(ended: "set[asyncio.Task[None]]") -> None:
    for failure in [task.exception() for task in ended]:
        if failure is not None:
            raise failure


def _tenant(row: Row[Any]) -> UUID:
    return UUID(row.payload["tenant_id"])


def _dead_letter(row: Row[Any], reason: str, uow: UnitOfWork, *, called: bool) -> DeadLetter:
    return DeadLetter(
        id=new_id(),
        tenant_id=_tenant(row),
        event_id=None,
        type=row.type,
        topic=JOBS,
        partition=0,
        offset=row.id,
        key=row.key,
        headers={CALLED: called},
        data=orjson.dumps(row.payload),
        personal=None,
        reason=reason[:500],
        attempts=row.attempts,
        died_at=uow.now,
    )
