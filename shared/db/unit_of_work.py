"""One transaction: what it changes, what it says, and what it leaves for later, all or nothing."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.db.locks import locks_of
from shared.db.rowset import Rowset
from shared.db.statements import Session, Statement
from shared.db.tables import TENANTS_SETTING
from shared.events import Envelope, Event
from shared.ids import new_id

_ENTER = Statement(f"SELECT set_config('{TENANTS_SETTING}', :tenant, true)")

# Locked, they are not begun before the commit, and so with all that it brings; what is just being begun is passed over.
_WAITING = Statement("""
SELECT key FROM jobs WHERE key = ANY(CAST(:keys AS text[])) AND lease_until IS NULL
ORDER BY id FOR UPDATE SKIP LOCKED
""")

# Each distinct key is locked before its rows get their identity and their time, the latter from the one clock that all
# processes share: so per key, outbox order is commit order is the order of time.
_RECORDS = Rowset(
    "row", numbered="place", shard="smallint", topic="text", key="text", headers="jsonb", data="bytea", personal="bytea"
)
_TELL = Statement(f"""
WITH locked AS MATERIALIZED (
  SELECT count(pg_advisory_xact_lock(lock)) AS keys,
    to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS held_at
  FROM unnest(CAST(:locks AS bigint[])) AS lock
)
INSERT INTO outbox (shard, topic, key, headers, data, personal)
SELECT row.shard, row.topic, row.key, row.headers || jsonb_build_object('ce_time', locked.held_at), row.data,
  row.personal
FROM locked, {_RECORDS} ORDER BY row.place
""")


# Held until the commit, so that jobs of one key get their ids in the order in which they become visible.
_JOBS = Rowset("row", numbered="place", type="text", key="text", payload="jsonb", due_at="timestamptz")
_SCHEDULE = Statement(f"""
WITH locked AS MATERIALIZED (
  SELECT count(pg_advisory_xact_lock(lock)) AS keys FROM unnest(CAST(:locks AS bigint[])) AS lock
)
INSERT INTO jobs ({_JOBS.columns}) SELECT {_JOBS.columns} FROM locked, {_JOBS} ORDER BY row.place
""")


class Job(BaseModel):
    """Something to be done later or elsewhere. Jobs of one key are done one after the other, as they were scheduled.

    A job refers to rows; it never carries personal data.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    tenant_id: UUID


class _Scheduled(NamedTuple):
    type: str
    key: str
    payload: dict[str, Any]
    due_at: datetime


class Left(NamedTuple):
    """Whether a transaction leaves something to publish, and something to do."""

    said: bool
    scheduled: bool


class UnitOfWork:
    """What a handler works with. It is opened and committed at the edge, never inside a handler."""

    def __init__(self, session: Session, now: datetime, trace: str | None, tenants: Iterable[UUID] = ()) -> None:
        self.session = session
        self.tenants = frozenset(tenants)
        """All whose rows it was opened for."""
        self.now = now
        self._trace = trace
        self._said: list[Event] = []
        self._jobs: list[_Scheduled] = []
        self._jobs_unless_waiting: dict[str, _Scheduled] = {}

    @staticmethod
    def new_id() -> UUID:
        return new_id()

    def emit(self, event: Event, *, caused_by: Event | None = None, trace: str | None = None) -> None:
        """Say that something happened; it is heard if and only if this transaction commits.

        It belongs to the trace of its cause, else to `trace`, else to that of this unit of work.
        """
        cause = caused_by.envelope if caused_by is not None else None
        self._said.append(
            event.in_envelope(
                Envelope(
                    id=new_id(),
                    occurred_at=self.now,
                    caused_by=cause.id if cause else None,
                    trace=cause.trace if cause else trace or self._trace,
                )
            )
        )

    def schedule(self, job: Job, *, key: str, due_at: datetime) -> None:
        """Do `job` at `due_at` or soon after, in turn with the other jobs of this key, if this transaction commits."""
        self._jobs.append(_scheduled(job, key, due_at))

    def schedule_unless_waiting(self, job: Job, *, key: str, due_at: datetime) -> None:
        """The same for a job that does for all that was committed before it begins: one of its key that nobody has
        begun yet is enough."""
        self._jobs_unless_waiting[key] = _scheduled(job, key, due_at)

    def change(self, row: Any, changes: Mapping[str, Any]) -> bool:
        """Give a row that has versions its next one, changed, unless it is so already; whether it was not."""
        different = {name: value for name, value in changes.items() if getattr(row, name) != value}
        for name, value in different.items():
            setattr(row, name, value)
        if different:
            row.version += 1
            row.updated_at = self.now
        return bool(different)

    async def enter(self, tenant_id: UUID) -> None:
        """Work for one tenant from here on, as when the platform has just made it."""
        await self.session.execute(_ENTER, {"tenant": str(tenant_id)})

    def forget(self) -> None:
        """Take back all that was said and scheduled, as when the work done so far is rolled back."""
        self._forget_words()
        self.session.forget()

    async def leave(self) -> Left:
        """Leave what was said and scheduled to be written with the commit."""
        if self._jobs_unless_waiting:
            waiting = set(await self.session.scalars(_WAITING, {"keys": sorted(self._jobs_unless_waiting)}))
            self._jobs += [job for key, job in self._jobs_unless_waiting.items() if key not in waiting]
        if self._jobs:
            locks = locks_of(f"job|{job.key}" for job in self._jobs)
            await self.session.leave(_SCHEDULE, _JOBS.of(self._jobs) | {"locks": locks})
        if self._said:
            records = [event.to_record() for event in self._said]
            locks = locks_of(record.key for record in records)
            await self.session.leave(_TELL, _RECORDS.of(records) | {"locks": locks})
        left = Left(said=bool(self._said), scheduled=bool(self._jobs))
        self._forget_words()
        return left

    def _forget_words(self) -> None:
        self._said.clear()
        self._jobs.clear()
        self._jobs_unless_waiting.clear()


def _scheduled(job: Job, key: str, due_at: datetime) -> _Scheduled:
    return _Scheduled(job.type, key, job.model_dump(mode="json"), due_at)
