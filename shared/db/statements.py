"""Statements written in SQL, which go to the driver past the layers that other queries need."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import event
from sqlalchemy.engine import Connection, IteratorResult, Result, ScalarResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.orm import SessionTransaction
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.util import await_

from shared.db.tables import TENANTS_SETTING

_NAME: Final = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
_BEGIN: Final = f"BEGIN; SET LOCAL {TENANTS_SETTING} = '{{}}'"
"""In one round trip, which leaves no place for parameters: tenants are UUIDs, whose text holds nothing else."""
_PLAN_ANEW: Final = "DISCARD PLANS; "
_PLANNED_AT: Final = "planned_at"
_LOST: Final = "SELECT"
"""On a connection that was lost it raises what tells of it, and makes the pool let go of all of its time."""
_DRIVER: Final = "driver"
TENANTS: Final = "tenants"
"""Under which a session's `info` holds the tenants that it sees."""
PLANS: Final = "plans"
"""And the seconds for which its connection keeps the plans it made."""


class Statement(TextClause):
    """A text with `:named` values. In a `Session` it costs a quarter of what it costs as `sqlalchemy.text`.

    What it raises there is the driver's own error, and its result has rows and names but no count of rows.
    """

    inherit_cache = True

    def __init__(self, sql: str) -> None:
        super().__init__(sql)
        places: dict[str, int] = {}
        self._sql = _NAME.sub(lambda name: f"${places.setdefault(name[1], len(places) + 1)}", sql)
        self._names = tuple(places)

    async def run(self, driver: Any, values: Mapping[str, Any]) -> Result[Any]:
        """Run it on a connection of asyncpg."""
        records = await driver.fetch(self._sql, *[values[name] for name in self._names])
        names = list(records[0].keys()) if records else ["nothing"]
        return IteratorResult(SimpleResultMetaData(names), map(tuple, records))


class Session(AsyncSession):
    """A session that hands statements of ours to the driver, in its own transaction."""

    async def execute(self, statement: Any, params: Any = None, **options: Any) -> Any:
        if isinstance(statement, Statement):
            return await self._run(statement, params)
        return await super().execute(statement, params, **options)

    async def scalars(self, statement: Any, params: Any = None, **options: Any) -> ScalarResult[Any]:
        if isinstance(statement, Statement):
            return (await self._run(statement, params)).scalars()
        return await super().scalars(statement, params, **options)

    async def scalar(self, statement: Any, params: Any = None, **options: Any) -> Any:
        if isinstance(statement, Statement):
            return (await self._run(statement, params)).scalar()
        return await super().scalar(statement, params, **options)

    async def _run(self, statement: Statement, values: Mapping[str, Any] | None) -> Result[Any]:
        if not self.in_transaction() or _DRIVER not in self.info:
            await self.connection()
        driver = self.info[_DRIVER]
        try:
            return await statement.run(driver, values or {})
        except Exception:
            if driver.is_closed():
                await (await self.connection()).exec_driver_sql(_LOST)
            raise


@dataclass(frozen=True, slots=True)
class _Began:
    """A transaction of a connection of asyncpg, as SQLAlchemy's adapter ends it."""

    driver: Any

    async def commit(self) -> None:
        await self.driver.execute("COMMIT")

    async def rollback(self) -> None:
        await self.driver.execute("ROLLBACK")


@event.listens_for(SyncSession, "after_begin")
def _begin(session: SyncSession, transaction: SessionTransaction, connection: Connection) -> None:
    """Let the transaction begin, and see what its tenants may see."""
    if transaction.nested:
        return
    pooled = cast("Any", connection.connection)
    driver = pooled.driver_connection
    try:
        # By itself it begins with the first statement that goes through it, and ours do not.
        await_(driver.execute(_plans(session, connection) + _BEGIN.format(session.info.get(TENANTS, ""))))
        pooled.dbapi_connection._transaction = _Began(driver)  # noqa: SLF001 - there is no public way
    except Exception:
        if driver.is_closed():
            connection.exec_driver_sql(_LOST)
        raise
    session.info[_DRIVER] = driver


def _plans(session: SyncSession, connection: Connection) -> str:
    now, known = time.monotonic(), connection.info
    if now - known.setdefault(_PLANNED_AT, now) < session.info[PLANS]:
        return ""
    known[_PLANNED_AT] = now
    return _PLAN_ANEW


@event.listens_for(SyncSession, "after_transaction_end")
def _let_go(session: SyncSession, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_DRIVER, None)
