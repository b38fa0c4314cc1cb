"""Takes away what has served: claims of old events, kept outbox rows, kept answers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import TextClause, text

from shared.db import Database, is_outage
from shared.ids import earliest_id
from shared.settings import ServiceSettings
from shared.telemetry import describe

log = structlog.get_logger()

EVERY_SECONDS = 60

_AT_ONCE = 10_000
_CLAIMS = text(f"""
DELETE FROM inbox WHERE event_id IN (
  SELECT event_id FROM inbox WHERE event_id < :oldest ORDER BY event_id LIMIT {_AT_ONCE}
)""")
_KEPT_ROWS = text(f"""
DELETE FROM outbox_kept WHERE id IN (
  SELECT id FROM outbox_kept WHERE created_at < :oldest ORDER BY id LIMIT {_AT_ONCE}
)""")
_ANSWERS = text(f"""
DELETE FROM idempotency_answers WHERE scope IN (
  SELECT scope FROM idempotency_answers WHERE expires_at < :now ORDER BY expires_at LIMIT {_AT_ONCE}
)""")


async def sweep(database: Database, settings: ServiceSettings) -> None:
    """Sweep once a minute until cancelled, in portions, so that nobody waits for it."""
    while True:
        now = datetime.now(UTC)
        portions: list[tuple[TextClause, dict[str, Any]]] = [
            (_CLAIMS, {"oldest": earliest_id(now - timedelta(days=settings.inbox_keep_days))}),
            (_KEPT_ROWS, {"oldest": now - timedelta(seconds=settings.relay_keep_seconds)}),
            (_ANSWERS, {"now": now}),
        ]
        try:
            for statement, values in portions:
                while await _take_away(statement, values, database) == _AT_ONCE:
                    pass
        except Exception as failure:
            if not is_outage(failure):
                raise
            log.warning("the sweep is put off", reason=describe(failure))
        await asyncio.sleep(EVERY_SECONDS)


async def _take_away(statement: TextClause, values: dict[str, Any], database: Database) -> int:
    async with database.engine.begin() as connection:
        return (await connection.execute(statement, values)).rowcount
