"""Whether a process lives, whether it can serve, and what it measures."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from asyncpg import InterfaceError, InternalClientError, PostgresError
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared.db import Database
from shared.db.migrations import current, newest
from shared.http.problems import Unavailable

MIGRATION_SECONDS = 0.2


class Readiness:
    """Ready once migrations are there and the broker has answered, which stay so; and while the database answers."""

    def __init__(
        self, database: Database, location: Path, broker: Callable[[], bool], fuse: Callable[[], bool]
    ) -> None:
        self._database = database
        self._wanted = newest(location)
        self._broker = broker
        self._fuse = fuse
        self._migrated = False

    async def missing(self) -> str | None:
        """What is missing, in words; None when nothing is."""
        if (missing := await self._missing_of_database()) is not None:
            return missing
        if not self._broker():
            return "The broker has not answered yet."
        return "The fuse has blown." if self._fuse() else None

    async def migrated(self) -> None:
        """Return once the tables are those of this code: before that no work may begin."""
        while await self._missing_of_database() is not None:  # noqa: ASYNC110 - another program migrates
            await asyncio.sleep(MIGRATION_SECONDS)

    async def _missing_of_database(self) -> str | None:
        try:
            async with self._database.engine.connect() as connection:
                if self._migrated:
                    await connection.execute(text("SELECT 1"))
                else:
                    self._migrated = await current(connection) >= self._wanted
        except (SQLAlchemyError, PostgresError, InterfaceError, InternalClientError, OSError):
            return "The database does not answer."
        return None if self._migrated else "The database has not been migrated to this version."


def health(readiness: Callable[[], Readiness]) -> APIRouter:
    """`/live`, `/ready` and `/telemetry`, for operations and not for callers."""
    router = APIRouter(include_in_schema=False)

    @router.get("/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/ready")
    async def ready() -> dict[str, str]:
        missing = await readiness().missing()
        if missing:
            raise Unavailable(missing)
        return {"status": "ready"}

    @router.get("/telemetry")
    async def telemetry() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
