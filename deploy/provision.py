"""A database for each service, owned by the role that migrates it and used by one that can do nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import asyncpg

# Setting up takes turns: concurrent grants on one database fail in Postgres ("tuple concurrently updated").
_LOCK: Final = 7_001

_PLAIN_ROLE: Final = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A service's database: `owner` owns it and migrates it, `role` reads and writes rows."""

    name: str
    role: str
    password: str
    owner: str
    owner_password: str

    def url(self, host: str, port: int) -> str:
        return f"postgresql://{self.role}:{self.password}@{host}:{port}/{self.name}"

    def owner_url(self, host: str, port: int) -> str:
        return f"postgresql://{self.owner}:{self.owner_password}@{host}:{port}/{self.name}"


async def provision(admin_url: str, databases: Sequence[ServiceDatabase]) -> None:
    """Make roles, databases and rights be as they should; a second call changes nothing.

    `admin_url` connects as a superuser, in a server that is Balcão's own: nobody may connect to a database of it
    any more without having been told so. Passwords must be plain ASCII. Raises asyncpg's and the system's errors.
    """
    admin = await _connect(admin_url)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", _LOCK)
        for database in databases:
            await _create_role(admin, database.owner, database.owner_password)
            await _create_role(admin, database.role, database.password)
            await _create_database(admin, database)
        for row in await admin.fetch("SELECT datname FROM pg_database WHERE datallowconn"):
            await _run(admin, "REVOKE ALL ON DATABASE %I FROM PUBLIC", row["datname"])
        for database in databases:
            await _run(admin, "GRANT CONNECT ON DATABASE %I TO %I", database.name, database.role)
            await _grant_rows(urlsplit(admin_url)._replace(path=f"/{database.name}").geturl(), database)
    finally:
        await admin.close(timeout=10)


async def _connect(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url, timeout=10, command_timeout=60)


async def _create_role(admin: asyncpg.Connection, role: str, password: str) -> None:
    if not await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        await _run(admin, "CREATE ROLE %I", role)
    await _run(admin, f"ALTER ROLE %I {_PLAIN_ROLE} PASSWORD %L", role, password)


async def _create_database(admin: asyncpg.Connection, database: ServiceDatabase) -> None:
    if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", database.name):
        await _run(admin, "CREATE DATABASE %I OWNER %I", database.name, database.owner)


async def _grant_rows(url: str, database: ServiceDatabase) -> None:
    connection = await _connect(url)
    try:
        await _run(connection, "ALTER SCHEMA public OWNER TO %I", database.owner)
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await _run(connection, "GRANT USAGE ON SCHEMA public TO %I", database.role)
        for rights in ("SELECT, INSERT, UPDATE, DELETE ON TABLES", "USAGE ON SEQUENCES"):
            await _run(
                connection,
                f"ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA public GRANT {rights} TO %I",
                database.owner,
                database.role,
            )
    finally:
        await connection.close(timeout=10)


async def _run(connection: asyncpg.Connection, template: str, *values: str) -> None:
    """Execute a statement whose names (%I) and texts (%L) the server has quoted: it could not bind them."""
    await connection.execute(await connection.fetchval("SELECT format($1, VARIADIC $2::text[])", template, values))
