"""What the jobs leave in Postgres: a role for each process, which reaches the rows of its own database and no more."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from deploy import databases, migrate
from deploy.environment import ADMIN, role_variable
from deploy.fresh_secrets import write_secrets
from deploy.local.journal import Journal
from deploy.local.plan import HOST, free_ports
from deploy.local.postgres import Postgres
from deploy.local.supervisor import supervised
from deploy.migrate import variable_of
from deploy.processes import PROCESSES


@dataclass(frozen=True)
class _Server:
    secrets: Path

    @asynccontextmanager
    async def connected(self, secret: str, *, to: str | None = None) -> AsyncIterator[asyncpg.Connection]:
        url = (self.secrets / secret).read_text()
        database = f"balcao_{to}" if to else urlsplit(url).path[1:]
        connection = await asyncpg.connect(url, database=database, timeout=5)
        try:
            yield connection
        finally:
            await connection.close()


def _set_up(secrets: Path) -> None:
    """The compose file's jobs, told by the same files."""
    variables = {ADMIN: ADMIN.lower()} | {
        name: name.lower() for process in PROCESSES for name in (role_variable(process), variable_of(process))
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, file in variables.items():
            environment.setenv(f"{name}_FILE", str(secrets / file))
        databases.main()
        migrate.main()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Server]:
    root = tmp_path_factory.mktemp("roles")
    port, secrets = free_ports()["postgres"], root / ".secrets"
    write_secrets(secrets)
    for path in secrets.iterdir():
        path.chmod(0o600)
        path.write_text(path.read_text().replace("@postgres:5432/", f"@{HOST}:{port}/"))
    with closing(Journal(root / "logs")) as journal:
        async with supervised(root, journal) as supervisor:
            await Postgres(root, port, (secrets / "postgres_password").read_text()).start(supervisor)
            await asyncio.to_thread(_set_up, secrets)
            yield _Server(secrets)


def _elsewhere() -> Iterator[tuple[str, str]]:
    return ((role, other) for role in PROCESSES for other in PROCESSES if role != other)


async def test_no_role_reaches_the_database_of_another_process(server: _Server) -> None:
    for process, other in _elsewhere():
        for role in (f"{process}_database_url", f"{process}_owner_database_url"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with server.connected(role, to=other):
                    pass


@pytest.mark.parametrize("process", PROCESSES)
async def test_a_processs_role_has_the_rows_of_its_tables_and_cannot_change_the_tables(
    server: _Server, process: str
) -> None:
    async with server.connected(f"{process}_database_url") as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
        await connection.execute("DELETE FROM inbox")
        for statement in (
            "CREATE TABLE mine ()",
            "ALTER TABLE inbox ADD COLUMN more text",
            "DROP TABLE inbox",
            "TRUNCATE inbox",
            "ALTER TABLE dead_letters NO FORCE ROW LEVEL SECURITY",
            "CREATE ROLE another",
            "COPY inbox TO PROGRAM 'cat'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


@pytest.mark.parametrize("process", PROCESSES)
async def test_neither_role_passes_row_level_security(server: _Server, process: str) -> None:
    async with server.connected("postgres_admin_url", to=process) as admin:
        rights = await admin.fetch(
            "SELECT rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication AS any FROM pg_roles"
            " WHERE rolname = ANY ($1)",
            [f"balcao_{process}", f"balcao_{process}_owner"],
        )
        assert [row["any"] for row in rights] == [False, False]
        unforced = await admin.fetch(
            "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid WHERE NOT relforcerowsecurity"
        )
        assert not unforced
