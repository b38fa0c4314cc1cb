"""The database server as its administrator sees it, and faults that he can bring about."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.support.machine import Machine


@asynccontextmanager
async def administering(machine: Machine, service: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection, to a service's database if one is named."""
    database = machine.databases[service].name if service else None
    connection = await asyncpg.connect(machine.admin_url, database=database)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def away(machine: Machine, service: str) -> AsyncIterator[None]:
    """While the block lasts, a service's database has thrown everybody out and lets nobody in."""
    name = machine.databases[service].name
    async with administering(machine) as admin:
        await admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        try:
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
            yield
        finally:
            await admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')


async def open_transactions(machine: Machine, service: str) -> int:
    """How many transactions are open in a service's database just now."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND xact_start IS NOT NULL"
    async with administering(machine) as admin:
        return int(await admin.fetchval(query, machine.databases[service].name))
