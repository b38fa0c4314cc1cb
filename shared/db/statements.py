"""Statements written in SQL, which go to the driver past the layers that other queries need."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.engine import Connection, IteratorResult, Result, ScalarResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.orm import SessionTransaction
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.util import await_

from shared.db.tables import TENANTS_SETTING

_NAME: Final = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
_PLACE: Final = re.compile(r"\$(\d+)")
_CHANGED: Final = re.compile(r"(?:INSERT INTO|(?<!DO )(?<!FOR )UPDATE|DELETE FROM) (\w+)")
_WORD: Final = re.compile(r"\w+")
_HOLD: Final = "SELECT count(pg_advisory_xact_lock(lock)) FROM unnest({}) AS lock"
_BEGIN: Final = f"BEGIN{{}}; SET LOCAL {TENANTS_SETTING} = '{{}}'"
"""In one round trip, which leaves no place for parameters: tenants are UUIDs, whose text holds nothing else."""
_CLAIM_ALL: Final = "INSERT INTO inbox (event_id) SELECT id FROM unnest({}) AS id ORDER BY id"
_PLAN_ANEW: Final = "DISCARD PLANS; "
_PLANNED_AT: Final = "planned_at"
_LOST: Final = "SELECT"
"""On a connection that was lost it raises what tells of it, and makes the pool let go of all of its time."""
_DRIVER: Final = "driver"
_LEFT: Final = "left"
_FIRST: Final = "first"
CLAIMED: Final = "claimed"
"""Under which a session's `info` holds the ids of events that are claimed with the commit."""
READS: Final = "reads"
"""Under which it says that nothing may be changed in it."""
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
        self.sql: Final = _NAME.sub(lambda name: f"${places.setdefault(name[1], len(places) + 1)}", sql)
        """As the driver takes it."""
        self.names: Final = tuple(places)
        changes = _CHANGED.findall(sql)
        self.changed = frozenset(changes)
        self.words = frozenset(_WORD.findall(sql))
        # What changes one table by changing another cannot be a part of anything else.
        self.alone = len(changes) > 1

    def given(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order in which the driver takes them."""
        return [values[name] for name in self.names]

    def goes_with(self, other: "Statement") -> bool:
        """Whether both can be parts of one statement: neither names a table that the other one changes."""
        return not (self.alone or other.alone or self.changed & other.words or other.changed & self.words)


class Session(AsyncSession):
    """A session that hands statements of ours to the driver, in its own transaction."""

    if not TYPE_CHECKING:  # They give what they give in any session, as precisely as that tells it.

        async def execute(self, statement: Any, params: Any = None, **options: Any) -> Any:
            if isinstance(statement, Statement):
                return await self._run(statement, params)
            await self.settle()
            return await super().execute(statement, params, **options)

        async def scalars(self, statement: Any, params: Any = None, **options: Any) -> ScalarResult[Any]:
            if isinstance(statement, Statement):
                return (await self._run(statement, params)).scalars()
            await self.settle()
            return await super().scalars(statement, params, **options)

        async def scalar(self, statement: Any, params: Any = None, **options: Any) -> Any:
            if isinstance(statement, Statement):
                return (await self._run(statement, params)).scalar()
            await self.settle()
            return await super().scalar(statement, params, **options)

    async def ask(self, *asked: tuple[Statement, Mapping[str, Any]]) -> list[Sequence[tuple[Any, ...]]]:
        """The rows of several statements in one round trip; none may change anything, though it may lock.

        All see the same moment, save that what had to be waited for is as it was left.
        """
        await self.settle()
        alone = READS in self.info and not self.in_transaction()
        if alone:
            asked = ((_SEE, self._tenants), *asked)
        fetch = self._fetch_by_itself if alone else self._fetch
        sql = _side_by_side(tuple(statement for statement, _ in asked), shown=alone)
        return list((await fetch(sql, _values(asked)))[0])

    async def refresh(self, *args: Any, **options: Any) -> None:
        await self.settle()
        await super().refresh(*args, **options)

    async def flush(self, *args: Any) -> None:
        await self.settle()
        await super().flush(*args)

    async def leave(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Have it done before the next statement that is executed, or with the commit, and hear no answer.

        What is left together is done in one round trip, and by one statement: none of it sees what another does. So
        one that names a table which is changed by what was left before comes after that, in a round trip of its own.
        """
        if not all(statement.goes_with(other) for other, _ in self.info.get(_LEFT, ())):
            await self.settle()
        self.info.setdefault(_LEFT, []).append((statement, values))

    async def settle(self) -> None:
        """Do what was left, now."""
        if left := self.info.pop(_LEFT, None):
            await self._fetch(_together(tuple(statement for statement, _ in left)), _values(left))

    @property
    def has_changed(self) -> bool:
        """Whether a model was changed, or anything left, that is not written yet."""
        return bool(self.info.get(_LEFT) or self.new or self.dirty or self.deleted)

    def forget(self) -> None:
        """Take back what was left and is not done yet."""
        self.info.pop(_LEFT, None)

    async def hold(self, locks: Sequence[int]) -> None:
        """Wait until nobody else holds any of these advisory locks, and hold them until the transaction ends."""
        if self.in_transaction() or self.info.get(_LEFT):
            await self.execute(_HOLD_LOCKS, {"locks": locks})
        else:
            # In the round trip that begins it.
            self.info[_FIRST] = "; " + _HOLD.format(_array(locks, "bigint"))
            await self.connection()

    async def commit(self) -> None:
        if self._has_left_all():
            await self._do_by_itself(self.info.pop(_LEFT))
            return
        await self.settle()
        if CLAIMED in self.info:
            await self.connection()
        await super().commit()

    async def go_on(self) -> None:
        """Commit, and begin anew on the same connection in the same round trip; it then sees the rows of no tenant.

        For the kernel's own transactions: events are not claimed, and no model is written by it.
        """
        await self.settle()
        await self._fetch("COMMIT AND CHAIN", ())

    def _has_left_all(self) -> bool:
        """Whether there is nothing to commit but what was left, and all of that can be one statement."""
        left = self.info.get(_LEFT)
        if not left or self.in_transaction():
            return False
        return all(not statement.alone and statement.goes_with(_CLAIM) for statement, _ in left)

    async def _do_by_itself(self, left: Sequence[tuple[Statement, Mapping[str, Any]]]) -> None:
        parts = [(_SEE, self._tenants), *left]
        if CLAIMED in self.info:
            parts.append((_CLAIM, {"ids": self.info[CLAIMED]}))
        sql = _together(tuple(statement for statement, _ in parts), shown=True)
        await self._fetch_by_itself(sql, _values(parts))

    @property
    def _tenants(self) -> Mapping[str, Any]:
        return {"tenants": self.info.get(TENANTS, "")}

    async def _fetch_by_itself(self, sql: str, values: Sequence[Any]) -> Any:
        """Let it be one statement, which is a transaction without saying so, and one round trip in place of three."""
        async with cast("AsyncEngine", self.bind).connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            try:
                if plans := _plans(self.info[PLANS], connection.info):
                    await driver.execute(plans)
                return await driver.fetch(sql, *values)
            except Exception:
                if driver.is_closed():
                    await connection.exec_driver_sql(_LOST)
                raise

    async def _run(self, statement: Statement, values: Mapping[str, Any] | None) -> Result[Any]:
        await self.settle()
        records = await self._fetch(statement.sql, statement.given(values or {}))
        names = list(records[0].keys()) if records else ["nothing"]
        return IteratorResult(SimpleResultMetaData(names), map(tuple, records))

    async def _fetch(self, sql: str, values: Sequence[Any]) -> Any:
        if not self.in_transaction() or _DRIVER not in self.info:
            await self.connection()
        driver = self.info[_DRIVER]
        try:
            return await driver.fetch(sql, *values)
        except Exception:
            if driver.is_closed():
                await (await self.connection()).exec_driver_sql(_LOST)
            raise


_HOLD_LOCKS: Final = Statement(_HOLD.format("CAST(:locks AS bigint[])"))
_SEE: Final = Statement(f"SELECT set_config('{TENANTS_SETTING}', :tenants, true)")
_CLAIM: Final = Statement(_CLAIM_ALL.format("CAST(:ids AS uuid[])"))


@lru_cache(maxsize=256)
def _together(statements: tuple[Statement, ...], *, shown: bool = False) -> str:
    """One statement that does what all of them do, and takes the values of one after those of the other.

    If the first is `shown`, it is done before the others, which begin when all of it has been read.
    """
    if len(statements) == 1:
        return statements[0].sql
    parts = [f"part_{number} AS ({sql})" for number, sql in enumerate(_in_turn(statements))]
    # Postgres does the last part first. It promises no order; but so locks are taken as they are where one by one.
    return f"WITH {', '.join(reversed(parts))} SELECT{' * FROM part_0' if shown else ''}"


@lru_cache(maxsize=256)
def _side_by_side(statements: tuple[Statement, ...], *, shown: bool = False) -> str:
    """One statement whose only row has, for each of them, all of its rows.

    If the first is `shown`, it is done before the others, and is not told of.
    """
    said = list(_in_turn(statements))
    before, after = (f"WITH shown AS MATERIALIZED ({said.pop(0)}) ", " FROM shown") if shown else ("", "")
    return f"{before}SELECT {', '.join(f'ARRAY(SELECT row FROM ({sql}) AS row)' for sql in said)}{after}"


def _in_turn(statements: Iterable[Statement]) -> Iterator[str]:
    """How each is said where the values of one are given after those of the other."""
    before = 0
    for statement in statements:
        pieces = _PLACE.split(statement.sql)
        pieces[1::2] = [f"${int(place) + before}" for place in pieces[1::2]]
        yield "".join(pieces)
        before += len(statement.names)


def _values(parts: Iterable[tuple[Statement, Mapping[str, Any]]]) -> list[Any]:
    """Those of all statements, as they are given where each is said in turn."""
    return [value for statement, values in parts for value in statement.given(values)]


def _array(members: Iterable[UUID | int], kind: str) -> str:
    """As it is written where there is no place for parameters: neither ids nor numbers hold anything else."""
    return f"'{{{','.join(map(str, members))}}}'::{kind}[]"


@dataclass(frozen=True, slots=True)
class _Began:
    """A transaction of a connection of asyncpg, as SQLAlchemy's adapter ends it."""

    driver: Any
    info: Mapping[str, Any]
    """That of the session."""

    async def commit(self) -> None:
        try:
            claim = ""
            if CLAIMED in self.info:
                # In the round trip of the commit.
                claim = _CLAIM_ALL.format(_array(self.info[CLAIMED], "uuid")) + "; "
            await self.driver.execute(f"{claim}COMMIT")
        except BaseException:
            # What failed may be what came before it; then nothing has ended yet.
            if not self.driver.is_closed():
                await self.rollback()
            raise

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
        # By itself it begins with the first statement that goes through it, and ours do not. Given up in the middle,
        # it may have begun.
        pooled.dbapi_connection._transaction = _Began(driver, session.info)  # noqa: SLF001 - there is no public way
        begin = _BEGIN.format(" READ ONLY" if READS in session.info else "", session.info.get(TENANTS, ""))
        plans = _plans(session.info[PLANS], connection.info)
        await_(driver.execute(plans + begin + session.info.pop(_FIRST, "")))
    except Exception:
        if driver.is_closed():
            connection.exec_driver_sql(_LOST)
        raise
    session.info[_DRIVER] = driver


def _plans(seconds: float, known: dict[str, Any]) -> str:
    """What discards a connection's plans, if they are older than so many seconds; it is remembered in what is known."""
    now = time.monotonic()
    if now - known.setdefault(_PLANNED_AT, now) < seconds:
        return ""
    known[_PLANNED_AT] = now
    return _PLAN_ANEW


@event.listens_for(SyncSession, "before_commit")
def _nothing_left(session: SyncSession) -> None:
    if session.info.get(_LEFT):
        raise RuntimeError("a commit that does not do what was left")


@event.listens_for(SyncSession, "after_transaction_end")
def _let_go(session: SyncSession, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_DRIVER, None)
