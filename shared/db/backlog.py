"""How much waits in a table and how long it has, measured for whoever has to see it grow."""

import asyncio

from prometheus_client import Gauge
from sqlalchemy import TextClause

from shared.db.database import Database, is_outage


async def measure_backlog(
    waiting: TextClause, count: Gauge, oldest: Gauge, database: Database, *, every: float
) -> None:
    """Set both gauges to what `waiting` counts and to the age of its oldest in seconds, until cancelled.

    While the database is away, what was measured last stands.
    """
    while True:
        try:
            async with database.engine.connect() as connection:
                rows, seconds = (await connection.execute(waiting)).one()
        except Exception as failure:
            if not is_outage(failure):
                raise
        else:
            count.set(rows)
            oldest.set(float(seconds))
        await asyncio.sleep(every)
