"""The embedded Postgres, and the roles that the services connect as."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.journal import Journal
from deploy.local.keys import Keys
from deploy.local.plan import HOST, Ports, database_of, free_ports
from deploy.local.postgres import Postgres
from deploy.local.supervisor import Supervisor, supervised
from deploy.provision import ServiceDatabase, provision


@dataclass(frozen=True)
class _Server:
    supervisor: Supervisor
    ports: Ports
    admin_url: str
    ingest: ServiceDatabase
    conversation: ServiceDatabase

    @asynccontextmanager
    async def as_role(self, database: ServiceDatabase, *, of: str | None = None) -> AsyncIterator[asyncpg.Connection]:
        url = database.url(HOST, self.ports["postgres"])
        connection = await asyncpg.connect(url, database=of or database.name, timeout=5)
        try:
            yield connection
        finally:
            await connection.close()

    async def as_owner(self, database: ServiceDatabase, statement: str) -> None:
        connection = await asyncpg.connect(database.owner_url(HOST, self.ports["postgres"]), timeout=5)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Server]:
    root = tmp_path_factory.mktemp("postgres")
    ports, keys = free_ports(), Keys.of(root)
    with closing(Journal(root / "logs")) as journal:
        async with supervised(root, journal) as supervisor:
            postgres = Postgres(root, ports["postgres"], keys.derived("postgres"))
            await postgres.start(supervisor)
            ingest, conversation = (database_of(process, keys) for process in ("ingest", "conversation"))
            for _ in ("the first time", "and again without harm"):
                await provision(postgres.admin_url, [ingest, conversation])
            yield _Server(supervisor, ports, postgres.admin_url, ingest, conversation)


async def test_a_role_can_do_nothing_but_connect(server: _Server) -> None:
    async with server.as_role(server.ingest) as connection:
        role = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles"
            " WHERE rolname = current_user"
        )
        assert role is not None
        assert not any(role)
        for statement in ("CREATE TABLE mine ()", "CREATE TEMP TABLE mine ()", "CREATE SCHEMA mine"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


@pytest.mark.parametrize("other", ["balcao_conversation", "postgres", "template1"])
async def test_a_role_reaches_no_database_but_its_own(server: _Server, other: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with server.as_role(server.ingest, of=other):
            pass


async def test_a_role_writes_the_rows_of_tables_that_it_cannot_change(server: _Server) -> None:
    await server.as_owner(server.ingest, "CREATE TABLE notes (id bigserial, text text)")
    async with server.as_role(server.ingest) as connection:
        await connection.execute("INSERT INTO notes (text) VALUES ('a'), ('b')")
        await connection.execute("UPDATE notes SET text = 'c' WHERE text = 'a'")
        await connection.execute("DELETE FROM notes WHERE text = 'b'")
        assert await connection.fetchval("SELECT text FROM notes") == "c"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("ALTER TABLE notes ADD COLUMN more text")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("TRUNCATE notes")


async def test_what_was_committed_survives_a_killed_postgres(server: _Server) -> None:
    await server.as_owner(server.conversation, "CREATE TABLE kept AS SELECT 'committed' AS text")
    killed = server.supervisor.pids()["postgres"]
    server.supervisor.kill("postgres")
    async with asyncio.timeout(15):
        while True:
            if server.supervisor.pids().get("postgres", killed) != killed and await _answers(server.admin_url):
                break
            await asyncio.sleep(0.05)
    async with server.as_role(server.conversation) as connection:
        assert await connection.fetchval("SELECT text FROM kept") == "committed"


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True
