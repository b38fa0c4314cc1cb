"""How much is due and not being done, measured for whoever has to see it grow."""

from sqlalchemy import text

from shared.db import Database, measure_backlog
from shared.telemetry import JOBS_DUE, JOBS_OLDEST

EVERY_SECONDS = 15

_DUE = text("""
SELECT count(*), coalesce(extract(epoch FROM now() - min(due_at)), 0) FROM jobs
WHERE due_at <= now() AND (lease_until IS NULL OR lease_until < now())
""")


async def measure_jobs(database: Database) -> None:
    """Measure the jobs of a database until cancelled; while it is away, what was measured last stands."""
    await measure_backlog(_DUE, JOBS_DUE, JOBS_OLDEST, database, every=EVERY_SECONDS)
