"""Connections and transactions: opened at the edge, scoped to tenants, committed before the answer leaves."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.db.bell import Bell
from shared.db.statements import CLAIMED, PLANS, READS, TENANTS, Session
from shared.db.unit_of_work import UnitOfWork
from shared.telemetry import current_trace

log = structlog.get_logger()

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 15
POOL_WAIT_SECONDS = 5
PLANS_SECONDS = 15
"""For how long a connection keeps its plans: they suit tables as large as these were when they were made."""

# Classes and codes of SQLSTATE after which the same work may succeed: connection lost, rollback forced by others
# (40: deadlock, serialisation), lock not available, out of resources, server shutting down, idle transaction ended,
# read-only after a failover.
_READ_ONLY = "25006"
_PASSING = ("08", "40", "53", "57P", "55P03", "25P03", _READ_ONLY)


class Database:
    """The one database of a service."""

    def __init__(self, url: str, *, pool: int, application: str, plans_seconds: float = PLANS_SECONDS) -> None:
        self._plans_seconds = plans_seconds
        self.engine: AsyncEngine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            pool_size=pool,
            max_overflow=0,
            pool_timeout=POOL_WAIT_SECONDS,
            # The connection that was used last is the warmest: what it needs is in the processor's caches.
            pool_use_lifo=True,
            # Errors would quote the parameters, and parameters are what people wrote.
            hide_parameters=True,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": STATEMENT_SECONDS,
                "server_settings": {
                    "application_name": application,
                    "lock_timeout": "2s",
                    "idle_in_transaction_session_timeout": "10s",
                    "jit": "off",
                    # To plan a statement for its values costs more than most of them do.
                    "plan_cache_mode": "force_generic_plan",
                },
            },
        )
        self.said = Bell()
        """Rung after a commit that left something to publish."""
        self.scheduled = Bell()
        """Rung after a commit that left something to do."""
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def unit_of_work(
        self, tenants: Iterable[UUID], *, now: datetime | None = None, events: Iterable[UUID] = ()
    ) -> AsyncIterator[UnitOfWork]:
        """A transaction that sees these tenants only; it commits when the block ends and rolls back when it raises.

        No connection is taken before the first statement. It lets these events take effect: with the commit they are
        claimed, and where one was claimed before, that raises a unique violation.
        """
        work = self._work(tenants, now)
        session = work.session
        if claimed := list(events):
            session.info[CLAIMED] = claimed
        async with session:
            yield work
            left = await work.leave()
            await session.commit()
        if left.said:
            self.said.ring()
        if left.scheduled:
            self.scheduled.ring()

    @asynccontextmanager
    async def reading(self, tenants: Iterable[UUID]) -> AsyncIterator[UnitOfWork]:
        """A transaction that sees these tenants only, in which nothing can be changed, and for whose end nobody waits.

        Raises `RuntimeError` where something was changed, said or scheduled all the same.
        """
        work = self._work(tenants, None)
        work.session.info[READS] = True
        try:
            yield work
            changed = any(await work.leave()) or work.session.has_changed
        except Exception as failure:
            # Elsewhere it tells of a server that is no longer the first; who only reads can read there.
            if _sqlstate(getattr(failure, "orig", failure)) != _READ_ONLY:
                raise
            raise RuntimeError("who only reads has changed something") from failure
        else:
            if changed:
                raise RuntimeError("who only reads has nothing to change, to say or to leave")
        finally:
            if work.session.in_transaction():
                ending = asyncio.create_task(work.session.close())
                self._ending.add(ending)
                ending.add_done_callback(self._ended)

    def _ended(self, ending: asyncio.Task[None]) -> None:
        self._ending.discard(ending)
        if not ending.cancelled() and (failure := ending.exception()) is not None:
            # Its connection is given up; all that was to be read has been.
            log.info("a transaction that read did not end cleanly", reason=type(failure).__name__)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """A transaction of the kernel's own, which sees the rows of no tenant."""
        async with self._session() as session, session.begin():
            yield session

    def _work(self, tenants: Iterable[UUID], now: datetime | None) -> UnitOfWork:
        session, everyone = self._session(), frozenset(tenants)
        session.info[TENANTS] = ",".join(sorted(map(str, everyone)))
        return UnitOfWork(session, now or datetime.now(UTC), current_trace(), everyone)

    def _session(self) -> Session:
        return Session(self.engine, expire_on_commit=False, autoflush=False, info={PLANS: self._plans_seconds})

    async def close(self) -> None:
        if self._ending:
            await asyncio.wait(self._ending)
        await self.engine.dispose()


def is_outage(error: BaseException) -> bool:
    """Whether the work failed because of the database's state, not its own: the same work may succeed later."""
    if isinstance(error, FileNotFoundError | FileExistsError | PermissionError | IsADirectoryError):
        return False
    # Which error a lost connection or name is, differs by system and by the number of addresses tried.
    if isinstance(error, PoolTimeoutError | OSError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return True
    if isinstance(error, DBAPIError):
        state = _sqlstate(error.orig)
        if state is None:
            # The server said nothing: the connection was lost, or cut while it was being made.
            return error.connection_invalidated or isinstance(error, InterfaceError | InternalError | OperationalError)
        return state.startswith(_PASSING)
    state = _sqlstate(error)
    return state is not None and state.startswith(_PASSING)


def is_conflict(error: BaseException) -> bool:
    """Whether the work stood in another transaction's way, and may succeed at once when it is done again."""
    state = _sqlstate(getattr(error, "orig", error))
    return state is not None and state.startswith(("40", "55P03"))


def is_unique_violation(error: BaseException) -> bool:
    return _sqlstate(getattr(error, "orig", error)) == "23505"


def _sqlstate(error: Any) -> str | None:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None
