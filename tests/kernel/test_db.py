"""Transactions: all or nothing, in the order of their commits, for their own tenants only."""

import asyncio
import importlib
import random
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import (
    ARRAY,
    Column,
    Connection,
    MetaData,
    Table,
    TextClause,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, InternalError, ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.local.plan import HOST
from deploy.processes import PROCESSES, folder_of
from shared.db import (
    Database,
    GroupCommit,
    Job,
    Statement,
    TooBusyError,
    UnitOfWork,
    hold_names,
    is_conflict,
    is_outage,
    is_unique_violation,
)
from shared.db.group_commit import ENOUGH, LONGEST_SECONDS, SHORTEST_SECONDS, Pace
from shared.db.migrations import current, newest, upgrade
from shared.db.tables import Claimed, Kernel, Waiting
from shared.ids import new_id
from tests.support.events import message_received
from tests.support.machine import Machine
from tests.support.outbox import said
from tests.support.server import away
from tests.support.services import SERVICES

EXEMPT = {
    "channel_tenants": "asked before the tenant is known; it holds nothing but ids",
    "logins": "asked before the tenant is known; it holds nothing but ids and fingerprints",
    "tenant_slugs": "asked before the tenant is known; it holds nothing but ids and what is in every address",
    "measured_conversations": "asked for all tenants at once; it holds nothing but ids and counts",
    "login_failures": "of nobody's tenant: fingerprints, whether or not they are anybody's",
}
"""The tables with a tenant_id and without a row policy, and why."""

UNCHANGING = {
    "audit_entries": "the database itself refuses to change them or to take them out",
    "facts": "the database itself lets the service only add to them",
}
"""The tables whose rows stay as they are, and why."""


class Remind(Job):
    type = "test.remind"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(machine: Machine) -> AsyncIterator[Database]:
    database = machine.database("ingest")
    yield database
    await database.close()


async def count(database: Database, table: type[Kernel], *criteria: Any) -> int:
    async with database.unit_of_work(()) as uow:
        return (await uow.session.execute(select(func.count()).select_from(table).where(*criteria))).scalar_one()


class TestUnitOfWork:
    async def test_rows_events_and_jobs_come_together(self, database: Database, tenant_id: UUID) -> None:
        async with database.unit_of_work([tenant_id]) as uow:
            uow.session.add(Claimed(event_id=tenant_id))
            uow.emit(message_received(tenant_id))
            uow.schedule(Remind(tenant_id=tenant_id), key=str(tenant_id), due_at=uow.now)
        assert await count(database, Claimed, Claimed.event_id == tenant_id) == 1
        assert await count(database, Waiting, Waiting.key == str(tenant_id)) == 1
        assert len(await said(database, tenant_id)) == 1

    async def test_or_none_of_them_does(self, database: Database, tenant_id: UUID) -> None:
        async def fail() -> None:
            async with database.unit_of_work([tenant_id]) as uow:
                uow.session.add(Claimed(event_id=tenant_id))
                uow.emit(message_received(tenant_id))
                uow.schedule(Remind(tenant_id=tenant_id), key=str(tenant_id), due_at=uow.now)
                await uow.leave()
                await uow.session.settle()
                await uow.session.flush()
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        assert await count(database, Claimed, Claimed.event_id == tenant_id) == 0
        assert await count(database, Waiting, Waiting.key == str(tenant_id)) == 0
        assert not await said(database, tenant_id)

    async def test_an_event_tells_what_caused_it(self, database: Database, tenant_id: UUID) -> None:
        async with database.unit_of_work([tenant_id]) as uow:
            uow.emit(cause := message_received(tenant_id), trace="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
            uow.emit(message_received(tenant_id, number=1), caused_by=cause)
        first, second = await said(database, tenant_id)
        assert second.envelope.caused_by == first.envelope.id
        assert second.envelope.trace == first.envelope.trace == "00-" + "a" * 32 + "-" + "b" * 16 + "-01"

    async def test_for_each_key_the_outbox_is_in_the_order_of_commits(
        self, database: Database, tenant_id: UUID
    ) -> None:
        chance = random.Random(7)
        seen: dict[str, list[int]] = {"a": [], "b": []}
        done = asyncio.Event()

        async def say(sender: str, number: int) -> None:
            await asyncio.sleep(chance.random() / 50)
            async with database.unit_of_work([tenant_id]) as uow:
                uow.emit(message_received(tenant_id, sender, number))
                await uow.leave()
                await uow.session.settle()
                await asyncio.sleep(chance.random() / 50)

        async def watch() -> None:
            outbox = text("SELECT key, id FROM outbox WHERE headers->>'ce_tenantid' = :tenant ORDER BY id")
            while not done.is_set():
                async with database.engine.connect() as connection:
                    rows = (await connection.execute(outbox, {"tenant": str(tenant_id)})).all()
                for sender, before in seen.items():
                    now = [row.id for row in rows if row.key == f"ref-{sender}"]
                    assert now[: len(before)] == before, "a row came before one that was there"
                    seen[sender] = now

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(say(sender, number) for number in range(20) for sender in seen))
        done.set()
        await watching
        events = await said(database, tenant_id)
        assert len(events) == 40
        for sender in seen:
            moments = [event.envelope.occurred_at for event in events if event.sender_ref == f"ref-{sender}"]
            assert moments == sorted(moments), "an event is dated before one that was committed before it"


def sample(column: Column[Any], rows: dict[str, dict[str, Any]]) -> Any:
    """Some value that the column can hold; a reference leads to the row that is there."""
    for key in column.foreign_keys:
        return rows[key.column.table.name][key.column.name]
    if isinstance(column.type, ARRAY):
        return []
    if isinstance(column.type, JSONB):
        return {}
    values = {UUID: new_id(), str: "x", int: 1, bool: True, float: 1.0, bytes: b"x", datetime: datetime.now(UTC)}
    return values[column.type.python_type]


def tenant_column(table: Table) -> Column[Any]:
    return table.c.tenant_id if "tenant_id" in table.c else table.c.id


def guarded(metadata: MetaData) -> list[Table]:
    """The tables that hold tenants' rows, those that are referred to first."""
    tables = [*metadata.sorted_tables, Kernel.metadata.tables["dead_letters"]]
    return [table for table in tables if table.name not in EXEMPT]


class TestTenants:
    @pytest.mark.parametrize("process", PROCESSES)
    async def test_a_transaction_sees_and_changes_rows_of_its_tenants_only(
        self, machine: Machine, process: str, tenant_id: UUID
    ) -> None:
        database, tables = machine.database(process), guarded(SERVICES[process].metadata)
        rows: dict[str, dict[str, Any]] = {}
        async with database.unit_of_work([tenant_id]) as uow:
            for table in tables:
                rows[table.name] = {column.name: sample(column, rows) for column in table.columns}
                rows[table.name][tenant_column(table).name] = tenant_id
                await uow.session.execute(insert(table), [rows[table.name]])
        for table in tables:
            mine = tenant_column(table) == tenant_id
            for tenants, seen in [([tenant_id, new_id()], 1), ([new_id()], 0), ([], 0)]:
                async with database.unit_of_work(tenants) as uow:
                    change = update(table).where(mine).values({tenant_column(table): tenant_id}).returning(table)
                    for statement in (select(table).where(mine), *([] if table.name in UNCHANGING else [change])):
                        assert len((await uow.session.execute(statement)).all()) == seen, table.name
                column = tenant_column(table).name
                asked = (Statement(f"SELECT {column} FROM {table.name} WHERE {column} = :id"), {"id": tenant_id})
                for opened in (database.unit_of_work(tenants), database.reading(tenants)):
                    async with opened as uow:
                        assert [len(rows) for rows in await uow.session.ask(asked, asked)] == [seen, seen], table.name
                with pytest.raises(ProgrammingError, match="row-level security"):
                    async with database.unit_of_work([new_id()]) as uow:
                        await uow.session.execute(insert(table), [rows[table.name]])
        for table in reversed([table for table in tables if table.name not in UNCHANGING]):
            for tenants, gone in [([new_id()], 0), ([tenant_id], 1)]:
                async with database.unit_of_work(tenants) as uow:
                    erase = delete(table).where(tenant_column(table) == tenant_id).returning(table)
                    assert len((await uow.session.execute(erase)).all()) == gone, table.name
        await database.close()

    @pytest.mark.parametrize("process", PROCESSES)
    async def test_every_table_of_tenants_is_guarded_even_from_its_owner(self, machine: Machine, process: str) -> None:
        query = """
            SELECT relname, relrowsecurity AND relforcerowsecurity AS guarded FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND (relname = 'tenants' OR oid IN (
              SELECT attrelid FROM pg_attribute WHERE attname = 'tenant_id'))"""
        async with owning(machine, process) as owner:
            open_ = {row["relname"] for row in await owner.fetch(query) if not row["guarded"]}
        assert open_ <= set(EXEMPT)

    @pytest.mark.parametrize("process", PROCESSES)
    async def test_a_service_works_as_a_role_that_can_do_nothing_else(self, machine: Machine, process: str) -> None:
        role = await asyncpg.connect(machine.url(process))
        try:
            powers = "SELECT rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication FROM pg_roles"
            assert not await role.fetchval(f"{powers} WHERE rolname = current_user")
            assert not await role.fetchval("SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole")
            for forbidden in (
                "CREATE TABLE mine (id int)",
                "ALTER TABLE outbox DISABLE ROW LEVEL SECURITY",
                "DROP TABLE outbox",
                "TRUNCATE outbox",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await role.execute(forbidden)
        finally:
            await role.close()


@asynccontextmanager
async def owning(machine: Machine, process: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(owner_url(machine, process))
    try:
        yield connection
    finally:
        await connection.close()


def owner_url(machine: Machine, process: str) -> str:
    return machine.databases[process].owner_url(HOST, machine.ports["postgres"])


class TestMigrations:
    @pytest.mark.parametrize("process", PROCESSES)
    async def test_they_make_the_tables_that_the_models_describe(self, machine: Machine, process: str) -> None:
        described = [Kernel.metadata, SERVICES[process].metadata]

        def differences(connection: Connection) -> Any:
            return compare_metadata(MigrationContext.configure(connection), cast("MetaData", described))

        engine = create_async_engine(owner_url(machine, process).replace("postgresql:", "postgresql+asyncpg:"))
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
        await engine.dispose()

    @pytest.mark.parametrize("process", PROCESSES)
    async def test_they_run_once(self, machine: Machine, process: str) -> None:
        await asyncio.to_thread(upgrade, folder_of(process), owner_url(machine, process))
        database = machine.database(process)
        async with database.engine.connect() as connection:
            assert await current(connection) == newest(folder_of(process)) != frozenset()
        await database.close()

    async def test_policies_that_would_choose_an_index_are_changed(self, machine: Machine) -> None:
        visible = "(SELECT string_to_array(current_setting('app.tenants', true), ',')::uuid[])::uuid[]"

        def change(connection: Connection) -> None:
            migrations = importlib.import_module("shared.db.versions.kernel_0002_policies")
            with Operations.context(MigrationContext.configure(connection)):
                migrations.upgrade()

        engine = create_async_engine(owner_url(machine, "ingest").replace("postgresql:", "postgresql+asyncpg:"))
        async with engine.connect() as connection:
            await connection.execute(text("CREATE TABLE of_old (tenant_id uuid)"))
            await connection.execute(text(f"CREATE POLICY tenants ON of_old USING (tenant_id = ANY ({visible}))"))
            await connection.run_sync(change)
            policies = await connection.execute(text("SELECT pg_get_expr(polqual, polrelid) FROM pg_policy"))
            assert {policy.partition("(")[0] for policy in policies.scalars()} == {"COALESCE"}
            await connection.rollback()
        await engine.dispose()


JOB = Statement("INSERT INTO jobs (type, key, payload, due_at) VALUES (:type, :key, '{}', now())")
RENAME = Statement("UPDATE jobs SET type = :type WHERE key = :key")
CLAIM = Statement("INSERT INTO inbox (event_id) VALUES (:id)")
BURY = Statement("""
INSERT INTO dead_letters (id, tenant_id, topic, key, headers, data, partition, "offset", reason, attempts, died_at)
VALUES (:id, :tenant, 'ingest.events', 'k', '{}', '', 0, 0, 'a test', 1, now())
""")


class TestRoundTrips:
    async def test_what_is_left_is_done_together_before_anything_is_asked(self, database: Database) -> None:
        claimed = new_id()

        async def said_last(pid: int) -> str:
            async with database.unit_of_work(()) as looking:
                query = text("SELECT query FROM pg_stat_activity WHERE pid = :pid")
                return str(await looking.session.scalar(query, {"pid": pid}))

        async with database.unit_of_work(()) as uow:
            pid: int = await uow.session.scalar(text("SELECT pg_backend_pid()"))
            await uow.session.leave(CLAIM, {"id": claimed})
            await uow.session.leave(JOB, {"type": "test.left", "key": str(claimed)})
            assert "INTO" not in await said_last(pid)
            await uow.session.settle()
            assert re.findall(r"INTO (\w+)", await said_last(pid)) == ["jobs", "inbox"]
        async with database.unit_of_work(()) as uow:
            await uow.session.leave(JOB, {"type": "test.left-too", "key": str(claimed)})
            seen = text("SELECT type FROM jobs JOIN inbox ON key = event_id::text WHERE event_id = :id ORDER BY id")
            assert (await uow.session.scalars(seen, {"id": claimed})).all() == ["test.left", "test.left-too"]

    async def test_what_names_a_table_that_was_changed_comes_after_that(self, database: Database) -> None:
        key = str(new_id())
        async with database.unit_of_work(()) as uow:
            await uow.session.leave(JOB, {"type": "test.first", "key": key})
            await uow.session.leave(RENAME, {"type": "test.second", "key": key})
            await uow.session.leave(JOB, {"type": "test.third", "key": key})
        assert await count(database, Waiting, Waiting.key == key, Waiting.type == "test.second") == 1
        assert await count(database, Waiting, Waiting.key == key, Waiting.type == "test.third") == 1

    async def test_what_was_taken_back_is_not_done(self, database: Database) -> None:
        async with database.unit_of_work(()) as uow:
            await uow.session.leave(JOB, {"type": "test.taken-back", "key": (key := str(new_id()))})
            uow.forget()
        assert await count(database, Waiting, Waiting.key == key) == 0

    async def test_names_are_held_from_the_beginning(self, database: Database) -> None:
        name = str(new_id())
        released = asyncio.Event()

        async def hold() -> None:
            async with database.unit_of_work(()) as uow:
                await hold_names([name], uow.session)
                assert released.is_set()

        async with database.unit_of_work(()) as uow:
            await hold_names([name], uow.session)
            waiting = asyncio.create_task(hold())
            await asyncio.sleep(0.1)
            released.set()
        await waiting

    @pytest.mark.parametrize("asks", [False, True])
    async def test_events_are_claimed_with_the_commit_and_only_once(
        self, asks: bool, database: Database, tenant_id: UUID
    ) -> None:
        first, second = new_id(), new_id()

        async def take_effect(*events: UUID) -> None:
            async with database.unit_of_work([tenant_id], events=events) as uow:
                if asks:
                    await uow.session.scalar(text("SELECT 1"))
                uow.emit(message_received(tenant_id, number=len(events)))

        await take_effect(first)
        assert await count(database, Claimed, Claimed.event_id == first) == 1
        with pytest.raises((DBAPIError, asyncpg.UniqueViolationError)) as failure:
            await take_effect(first, second)
        assert is_unique_violation(failure.value)
        assert await count(database, Claimed, Claimed.event_id == second) == 0
        assert len(await said(database, tenant_id)) == 1, "what was not claimed took effect"

    async def test_what_is_only_left_is_a_transaction_in_one_round_trip(
        self, machine: Machine, database: Database, tenant_id: UUID
    ) -> None:
        own = Database(machine.url("ingest"), pool=1, application="by itself")
        async with own.unit_of_work([tenant_id], events=[new_id()]) as uow:
            uow.emit(message_received(tenant_id))
            uow.schedule(Remind(tenant_id=tenant_id), key=str(tenant_id), due_at=uow.now)
        last = text("SELECT query FROM pg_stat_activity WHERE application_name = 'by itself'")
        async with database.engine.connect() as connection:
            said_last = str(await connection.scalar(last))
        assert re.findall(r"INTO (\w+)", said_last) == ["inbox", "outbox", "jobs"]
        assert len(await said(database, tenant_id)) == 1
        async with own.engine.connect() as connection:
            seen = await connection.scalar(text("SELECT current_setting('app.tenants', true)"))
            assert not seen, "whoever works on the connection next sees the tenants of the one before"
        await own.close()

    async def test_what_is_only_left_is_left_for_its_tenants_only(self, database: Database, tenant_id: UUID) -> None:
        async def bury(tenant: UUID) -> None:
            async with database.unit_of_work([tenant_id]) as uow:
                await uow.session.leave(BURY, {"id": new_id(), "tenant": tenant})

        await bury(tenant_id)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await bury(new_id())

    async def test_what_is_only_left_and_fails_leaves_nothing(self, database: Database, tenant_id: UUID) -> None:
        claimed = new_id()
        with pytest.raises(asyncpg.UniqueViolationError):
            async with database.unit_of_work([tenant_id], events=[claimed, claimed]) as uow:
                uow.emit(message_received(tenant_id))
        assert await count(database, Claimed, Claimed.event_id == claimed) == 0
        assert not await said(database, tenant_id)

    async def test_what_is_asked_together_is_answered_apart(self, database: Database) -> None:
        several = Statement("SELECT number, :word FROM generate_series(CAST(:first AS int), :last) AS number")
        none = Statement("SELECT WHERE :never")
        async with database.unit_of_work(()) as uow:
            await uow.session.leave(JOB, {"type": "test.asked", "key": (key := str(new_id()))})
            left = (Statement("SELECT type FROM jobs WHERE key = :key"), {"key": key})
            asked = [(several, {"word": word, "first": 1, "last": last}) for word, last in (("a", 2), ("b", 1))]
            answers = await uow.session.ask(*asked, (none, {"never": False}), left)
        assert answers == [[(1, "a"), (2, "a")], [(1, "b")], [], [("test.asked",)]]

    async def test_what_is_only_asked_is_a_transaction_in_one_round_trip(
        self, machine: Machine, tenant_id: UUID
    ) -> None:
        own = Database(machine.url("ingest"), pool=1, application="asks")
        tenants: tuple[Statement, dict[str, Any]] = (Statement("SELECT current_setting('app.tenants', true)"), {})
        async with own.reading([tenant_id]) as uow:
            assert await uow.session.ask(tenants) == [[(str(tenant_id),)]]
            assert not uow.session.in_transaction()
        async with own.engine.connect() as connection:
            assert not await connection.scalar(text("SELECT current_setting('app.tenants', true)"))
        await own.close()

    async def test_who_reads_changes_nothing_and_says_nothing(self, database: Database, tenant_id: UUID) -> None:
        async def add(uow: UnitOfWork) -> None:
            uow.session.add(Claimed(event_id=tenant_id))

        async def say(uow: UnitOfWork) -> None:
            uow.emit(message_received(tenant_id))

        acts: list[Callable[[UnitOfWork], Awaitable[Any]]] = [
            lambda uow: uow.session.execute(CLAIM, {"id": tenant_id}),
            lambda uow: uow.session.execute(insert(Claimed), [{"event_id": tenant_id}]),
            lambda uow: uow.session.leave(CLAIM, {"id": tenant_id}),
            add,
            say,
        ]
        for act in acts:
            with pytest.raises(RuntimeError, match="only reads"):
                async with database.reading([tenant_id]) as uow:
                    await act(uow)
        assert not await said(database, tenant_id)
        assert not await count(database, Claimed, Claimed.event_id == tenant_id)

    async def test_who_reads_gives_his_connection_back_whatever_happened(self, machine: Machine) -> None:
        own = Database(machine.url("ingest"), pool=1, application="reads")

        async def read(fault: Exception | None) -> None:
            async with own.reading(()) as uow:
                await uow.session.scalar(text("SELECT 1"))
                if fault is not None:
                    raise fault

        for _ in range(3):
            await read(None)
            with pytest.raises(KeyError):
                await read(KeyError())
        async with own.reading(()) as uow:
            lost = text("SELECT pg_terminate_backend(pg_backend_pid())")
            with pytest.raises(DBAPIError):
                await uow.session.execute(lost)
        await asyncio.gather(*(read(None) for _ in range(5)))
        await own.close()

    async def test_a_session_that_goes_on_has_committed_and_sees_nobodys_rows(
        self, database: Database, tenant_id: UUID
    ) -> None:
        async with database.unit_of_work([tenant_id]) as uow:
            await uow.session.execute(CLAIM, {"id": tenant_id})
            await uow.session.go_on()
            assert await count(database, Claimed, Claimed.event_id == tenant_id) == 1
            assert not await uow.session.scalar(text("SELECT current_setting('app.tenants', true)"))
            await uow.session.execute(CLAIM, {"id": (taken_back := new_id())})
            await uow.session.rollback()
        assert await count(database, Claimed, Claimed.event_id == taken_back) == 0

    async def test_a_commit_that_failed_leaves_a_connection_to_work_with(self, machine: Machine) -> None:
        database = Database(machine.url("ingest"), pool=1, application="commits")
        async with database.unit_of_work((), events=[claimed := new_id()]):
            pass
        for _ in range(2):
            with pytest.raises(DBAPIError):
                async with database.unit_of_work((), events=[claimed]):
                    pass
        async with database.unit_of_work(()) as uow:
            assert await uow.session.scalar(text("SELECT pg_current_xact_id_if_assigned() IS NULL"))
        await database.close()


class TestPlans:
    async def test_a_statement_is_planned_without_its_values(self, database: Database, tenant_id: UUID) -> None:
        looks = Statement("SELECT count(*) FROM raw_events WHERE tenant_id = :tenant")
        made = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE :like"
        async with database.unit_of_work([tenant_id]) as uow:
            for _ in range(3):
                await uow.session.execute(looks, {"tenant": tenant_id})
            plans = await uow.session.execute(text(made), {"like": "SELECT count(*) FROM raw_events%"})
            assert plans.all() == [(3, 0)]

    async def test_no_index_is_chosen_by_whose_rows_may_be_seen(self, database: Database, tenant_id: UUID) -> None:
        async with database.unit_of_work([tenant_id]) as uow:
            await uow.session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = "\n".join(await uow.session.scalars(text("EXPLAIN SELECT body FROM raw_events")))
            assert "Seq Scan" in plan
            assert "Filter: COALESCE" in plan

    @pytest.mark.parametrize(("seconds", "begins"), [(0, "DISCARD PLANS; BEGIN;"), (60, "BEGIN;")])
    async def test_plans_are_made_anew_after_a_while(
        self, machine: Machine, database: Database, seconds: float, begins: str
    ) -> None:
        planning = Database(machine.url("ingest"), pool=2, application="plans", plans_seconds=seconds)
        async with planning.unit_of_work(()) as uow:
            raw = await (await uow.session.connection()).get_raw_connection()
            pid = cast("Any", raw.driver_connection).get_server_pid()
            async with database.unit_of_work(()) as looking:
                said_last = text("SELECT query FROM pg_stat_activity WHERE pid = :pid")
                assert str(await looking.session.scalar(said_last, {"pid": pid})).startswith(begins)
        await planning.close()


class TestFailures:
    async def fail(self, database: Database, *statements: str, pause: float = 0) -> DBAPIError:
        async def work() -> None:
            async with database.unit_of_work(()) as uow:
                for statement in statements:
                    await uow.session.execute(text(statement))
                    await asyncio.sleep(pause)

        with pytest.raises(DBAPIError) as failure:
            await work()
        return failure.value

    async def test_of_two_who_wait_for_each_other_one_may_try_again(self, database: Database) -> None:
        both = asyncio.Barrier(2)

        async def hold(first: int, second: int) -> None:
            async with database.unit_of_work(()) as uow:
                await uow.session.execute(text(f"SELECT pg_advisory_xact_lock(99, {first})"))
                await both.wait()
                await uow.session.execute(text(f"SELECT pg_advisory_xact_lock(99, {second})"))

        outcomes = await asyncio.gather(hold(1, 2), hold(2, 1), return_exceptions=True)
        (deadlock,) = [outcome for outcome in outcomes if outcome is not None]
        assert is_conflict(deadlock)
        assert is_outage(deadlock)

    async def test_who_waits_too_long_for_a_lock_may_try_again(self, database: Database) -> None:
        async with database.unit_of_work(()) as uow:
            await uow.session.execute(text("SELECT pg_advisory_xact_lock(98, 1)"))
            late = await self.fail(database, "SET LOCAL lock_timeout = '20ms'", "SELECT pg_advisory_xact_lock(98, 1)")
        assert is_conflict(late)
        assert is_outage(late)

    async def test_a_transaction_that_idles_is_ended_and_may_be_tried_again(self, database: Database) -> None:
        idle = "SET LOCAL idle_in_transaction_session_timeout = '10ms'"
        ended = await self.fail(database, idle, "SELECT 1", pause=0.4)
        assert is_outage(ended)
        assert not is_conflict(ended)

    async def test_a_connection_that_is_lost_is_an_outage(self, database: Database) -> None:
        lost = await self.fail(database, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert is_outage(lost)
        assert not is_conflict(lost)

    async def test_a_database_that_lets_nobody_in_is_an_outage(self, database: Database, machine: Machine) -> None:
        async with away(machine, "ingest"):
            failures = [await self.fail(database, "SELECT 1") for _ in range(12)]
        assert all(is_outage(failure) for failure in failures)
        assert await count(database, Claimed, Claimed.event_id == new_id()) == 0

    async def test_a_server_that_is_gone_is_an_outage(self) -> None:
        nowhere = Database("postgresql://nobody:nothing@127.0.0.1:1/none", pool=2, application="test")
        with pytest.raises(OSError, match="1") as gone:
            async with nowhere.unit_of_work(()) as uow:
                await uow.session.execute(text("SELECT 1"))
        assert is_outage(gone.value)

    @pytest.mark.parametrize(
        "error",
        [
            socket.gaierror(-3, "Temporary failure in name resolution"),
            OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 99] Cannot assign"),
            asyncpg.InterfaceError("connection is closed"),
            asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
            InternalError("SELECT 1", None, asyncpg.InternalClientError("cannot switch to state 11")),
        ],
    )
    def test_what_was_seen_while_a_server_restarted_is_an_outage(self, error: Exception) -> None:
        assert is_outage(error)

    async def test_faults_of_the_work_itself_are_neither(self, database: Database, tenant_id: UUID) -> None:
        twice = f"INSERT INTO inbox VALUES ('{tenant_id}'), ('{tenant_id}')"
        for statement in (twice, "SELECT nonsense", "SELECT 1 / 0"):
            failure = await self.fail(database, statement)
            assert not is_outage(failure)
            assert not is_conflict(failure)
            assert is_unique_violation(failure) == (statement == twice)

    @pytest.mark.parametrize("kind", [Statement, text])
    async def test_a_value_that_cannot_be_sent_is_neither(
        self, database: Database, kind: Callable[[str], TextClause]
    ) -> None:
        too_large = {"number": 2**40}
        with pytest.raises((DBAPIError, asyncpg.DataError)) as failure:
            async with database.unit_of_work(()) as uow:
                await uow.session.execute(kind("SELECT CAST(:number AS int)"), too_large)
        assert not is_outage(failure.value), "what holds it would be tried for ever, and hold up all behind it"
        assert not is_conflict(failure.value)

    async def test_an_error_quotes_nothing_of_what_was_written(self, database: Database) -> None:
        with pytest.raises(DBAPIError) as failure:
            async with database.unit_of_work(()) as uow:
                await uow.session.execute(text("SELECT CAST(:words AS text) || 1 / 0"), {"words": "secret words"})
        assert "secret" not in str(failure.value)


class TestGroupCommit:
    class Book:
        """Keeps what is written, a group at a time; some things it cannot write."""

        def __init__(self) -> None:
            self.tries = 0
            self.groups: list[list[str]] = []
            self.begun = asyncio.Event()
            self.open = asyncio.Event()
            self.failure: Exception | None = None

        async def write(self, items: Sequence[str]) -> None:
            self.begun.set()
            await self.open.wait()
            self.tries += 1
            if self.failure:
                raise self.failure
            if "bad" in items:
                raise ValueError("bad")
            self.groups.append(list(items))

    def begin(self, commit: GroupCommit[str], *callers: Sequence[str]) -> "list[asyncio.Task[None]]":
        return [asyncio.create_task(commit.add(items)) for items in callers]

    async def test_who_comes_during_a_commit_shares_the_next_one(self) -> None:
        book = self.Book()
        commit = GroupCommit(book.write, at_once=100, waiting=100)
        tasks = self.begin(commit, ["a"])
        await book.begun.wait()
        tasks += self.begin(commit, ["b", "c"], ["d"], ["e"])
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)
        book.open.set()
        await asyncio.gather(*tasks)
        assert book.groups == [["a"], ["b", "c", "d", "e"]]

    async def test_who_comes_right_after_the_first_shares_his(self) -> None:
        book = self.Book()
        book.open.set()
        commit = GroupCommit(book.write, at_once=100, waiting=100)
        tasks = self.begin(commit, ["a"])
        await asyncio.sleep(0)
        tasks += self.begin(commit, ["b"])
        await asyncio.gather(*tasks)
        assert book.groups == [["a", "b"]]

    async def test_who_comes_alone_after_many_waits_for_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slow_down(monkeypatch, 0.3)
        book = self.Book()
        book.open.set()
        commit = GroupCommit(book.write, at_once=3, waiting=100)
        await asyncio.gather(*self.begin(commit, ["a"], ["b"], ["c"]))
        tasks = self.begin(commit, ["d"])
        await asyncio.sleep(0.02)
        tasks += self.begin(commit, ["e"])
        await asyncio.gather(*tasks)
        assert book.groups == [["a", "b", "c"], ["d", "e"]]

    async def test_a_full_group_waits_for_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slow_down(monkeypatch, 60)
        book = self.Book()
        book.open.set()
        commit = GroupCommit(book.write, at_once=3, waiting=100)
        for _ in range(2):
            async with asyncio.timeout(30):
                await asyncio.gather(*self.begin(commit, ["a"], ["b"], ["c"]))
        assert [len(group) for group in book.groups] == [3, 3]

    async def test_who_always_comes_alone_waits_for_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slow_down(monkeypatch, 60)
        book = self.Book()
        book.open.set()
        commit = GroupCommit(book.write, at_once=100, waiting=100)
        async with asyncio.timeout(30):
            for item in "abc":
                await commit.add([item])
        assert book.groups == [["a"], ["b"], ["c"]]

    @pytest.mark.parametrize(("together", "enough"), [(5, 5), (ENOUGH + 10, ENOUGH)])
    async def test_as_many_as_came_together_of_late_wait_for_no_more(
        self, monkeypatch: pytest.MonkeyPatch, together: int, enough: int
    ) -> None:
        self.slow_down(monkeypatch, 60)
        book = self.Book()
        book.open.set()
        commit = GroupCommit(book.write, at_once=100, waiting=100)
        async with asyncio.timeout(30):
            await asyncio.gather(*self.begin(commit, *(["one"] for _ in range(together))))
        waiting = self.begin(commit, *(["one"] for _ in range(enough - 1)))
        await asyncio.sleep(0.02)
        assert not any(task.done() for task in waiting)
        async with asyncio.timeout(30):
            await asyncio.gather(*waiting, commit.add(["the last"]))
        assert [len(group) for group in book.groups] == [together, enough]

    async def test_commits_are_apart_from_beginning_to_beginning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slow_down(monkeypatch, 1)
        clock, begun = asyncio.get_running_loop().time, []

        async def write(_: Sequence[str]) -> None:
            begun.append(clock())
            await asyncio.sleep(0.6)

        commit = GroupCommit(write, at_once=100, waiting=100)
        await asyncio.gather(*self.begin(commit, ["a"], ["b"]))
        await commit.add(["c"])
        assert 0.95 < begun[1] - begun[0] < 1.5

    async def test_how_far_is_learned_from_how_long_they_take(self) -> None:
        async def write(_: Sequence[str]) -> None:
            await asyncio.sleep(0.02)

        commit = GroupCommit(write, at_once=100, waiting=100)
        for item in "abc":
            await commit.add([item])
        assert commit.pace.seconds > SHORTEST_SECONDS

    @staticmethod
    def slow_down(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        for bound in ("SHORTEST_SECONDS", "LONGEST_SECONDS"):
            monkeypatch.setattr(f"shared.db.group_commit.{bound}", seconds)

    def test_commits_that_take_little_follow_one_another_soon(self) -> None:
        pace = Pace()
        for _ in range(100):
            pace.took(0.001)
        assert pace.seconds == SHORTEST_SECONDS

    def test_the_longer_commits_take_the_farther_they_are_apart(self) -> None:
        pace, paces = Pace(), []
        for seconds in (0.003, 0.005, 5.0):
            for _ in range(100):
                pace.took(seconds)
            paces.append(pace.seconds)
        assert paces == pytest.approx([0.015, 0.025, LONGEST_SECONDS])
        for _ in range(100):
            pace.took(0.001)
        assert pace.seconds == pytest.approx(SHORTEST_SECONDS), "a slow machine that is well again is served as before"

    def test_one_slow_commit_among_fast_ones_changes_little(self) -> None:
        pace = Pace()
        pace.took(5.0)
        assert SHORTEST_SECONDS < pace.seconds <= SHORTEST_SECONDS + (LONGEST_SECONDS - SHORTEST_SECONDS) / 4

    async def test_one_callers_fault_is_his_alone(self) -> None:
        book = self.Book()
        book.open.set()
        commit = GroupCommit(book.write, at_once=100, waiting=100)
        outcomes = await asyncio.gather(*self.begin(commit, ["a"], ["b", "bad"], ["c"], ["d"]), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None), type(None)]
        assert [item for group in book.groups for item in group] == ["a", "c", "d"]

    async def test_an_outage_is_told_to_all_and_not_tried_for_each(self) -> None:
        book = self.Book()
        book.failure = ConnectionError()
        commit = GroupCommit(book.write, at_once=100, waiting=100)
        tasks = self.begin(commit, ["a"], ["b"], ["c"])
        book.open.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {ConnectionError}
        assert book.tries == 1
        book.failure = None
        await commit.add(["later"])
        assert book.groups == [["later"]]

    async def test_a_group_is_bounded_and_so_is_who_waits(self) -> None:
        book = self.Book()
        commit = GroupCommit(book.write, at_once=2, waiting=4)
        tasks = self.begin(commit, ["a"])
        await asyncio.sleep(0.01)
        tasks += self.begin(commit, ["b", "c"], ["d", "e"])
        await asyncio.sleep(0)
        with pytest.raises(TooBusyError):
            await commit.add(["f"])
        book.open.set()
        await asyncio.gather(*tasks)
        assert book.groups == [["a"], ["b", "c"], ["d", "e"]]

    async def test_what_waits_is_bounded_by_what_it_weighs(self) -> None:
        book = self.Book()
        commit = GroupCommit(book.write, at_once=4, waiting=6, weigh=len)
        tasks = self.begin(commit, ["a"])
        await asyncio.sleep(0.01)
        tasks += self.begin(commit, ["bbb"], ["cc"])
        await asyncio.sleep(0)
        with pytest.raises(TooBusyError):
            await commit.add(["dd"])
        book.open.set()
        await asyncio.gather(*tasks)
        assert book.groups == [["a"], ["bbb"], ["cc"]]

    async def test_a_caller_who_leaves_takes_nobody_with_him(self) -> None:
        book = self.Book()
        commit = GroupCommit(book.write, at_once=100, waiting=100)
        leaver, stayer = self.begin(commit, ["a"], ["b"])
        await asyncio.sleep(0)
        leaver.cancel()
        book.open.set()
        await stayer
        await commit.close()
        assert [item for group in book.groups for item in group] == ["a", "b"]
