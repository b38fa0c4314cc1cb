"""How much is due and not being done, measured for whoever has to see it grow."""

import asyncio

from sqlalchemy import text

from shared.db import Database, is_outage
from shared.telemetry import JOBS_DUE, JOBS_OLDEST

EVERY_SECONDS = 15

_DUE = text("""
SELECT count(*), coalesce(extract(epoch FROM now() - min(due_at)), 0) FROM jobs
WHERE due_at <= now() AND (lease_until IS NULL OR lease_until < now())
""")


async def measure_backlog(database: Database) -> None:
    """Measure the jobs of a database until cancelled; while it is away, what was measured last stands."""
    while True:
        try:
            async with database.engine.connect() as connection:
                jobs, seconds = (await connection.execute(_DUE)).one()
        except Exception as failure:
            if not is_outage(failure):
                raise
        else:
            JOBS_DUE.set(jobs)
            JOBS_OLDEST.set(float(seconds))
        await asyncio.sleep(EVERY_SECONDS)
