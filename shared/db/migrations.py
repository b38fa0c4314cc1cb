"""A service's tables, brought to the version of its code: the kernel's own first, then the service's."""

import asyncio
from collections.abc import Collection
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

_KERNEL = Path(__file__).parent / "versions"

# One migration at a time in a database, however many processes start together.
_LOCK = text("SELECT pg_advisory_xact_lock(7, 7)")


def upgrade(location: Path, url: str) -> None:
    """Bring a database to the newest version; `location` is a service's folder, `url` connects as the owner."""
    asyncio.run(_upgrade(location, url))


async def _upgrade(location: Path, url: str) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), connect_args={"timeout": 10})
    try:
        async with engine.begin() as connection:
            await connection.execute(_LOCK)
            await connection.run_sync(_run, location)
    finally:
        await engine.dispose()


def _run(connection: Connection, location: Path) -> None:
    config = _config(location)
    script = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, script, fn=lambda rev, _: script._upgrade_revs("heads", rev)) as context:  # noqa: SLF001 - what alembic's own upgrade command calls
        context.configure(connection=connection)
        context.run_migrations()


def newest(location: Path) -> frozenset[str]:
    """The versions that a database must have for this code."""
    script = ScriptDirectory.from_config(_config(location))
    # What another version depends on is not recorded beside it.
    implied = {name for version in script.walk_revisions() for name in _names(version.dependencies)}
    return frozenset(script.get_heads()) - implied


async def current(connection: AsyncConnection) -> frozenset[str]:
    """The versions that a database has; none when it was never migrated."""
    known = await connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    if not known:
        return frozenset()
    return frozenset((await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars())


def _names(dependencies: str | Collection[str] | None) -> Collection[str]:
    return [dependencies] if isinstance(dependencies, str) else dependencies or []


def _config(location: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(location / "migrations"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{_KERNEL}\n{location / 'migrations' / 'versions'}")
    return config
