"""What was said: the rows in an outbox, read as a listener would read them."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.db import Database
from shared.events import Event, Record, read

_OUTBOX = text("""
SELECT topic, key, headers, data, personal FROM outbox WHERE headers->>'ce_tenantid' = :tenant ORDER BY id
""")


async def said(database: Database, tenant_id: UUID) -> list[Any]:
    """The events of a tenant that wait to be published, oldest first."""
    async with database.engine.connect() as connection:
        rows = await connection.execute(_OUTBOX, {"tenant": str(tenant_id)})
    return [_event(Record(*row)) for row in rows]


def _event(record: Record) -> Event:
    return read(record.headers, record.value)
