"""Writing down what happened: in sets, each batch of facts with its marks in one statement."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.metrics.domain import Fact, FactKind
from services.metrics.models import BusinessHours, Tenant
from shared.db import Rowset

SOON: Final = timedelta(seconds=1)
"""A conversation is measured so long after something was heard of it: what comes meanwhile is measured with it."""
PAUSE: Final = timedelta(milliseconds=100)
"""And so long for each of its facts, so that a long one that is never silent costs no more than a short one."""

_FACTS = Rowset(
    "row",
    event_id="uuid",
    tenant_id="uuid",
    kind="text",
    conversation_id="uuid",
    channel_id="uuid",
    channel_kind="text",
    happened_at="timestamptz",
    queue_id="uuid",
    agent_id="uuid",
    labels="jsonb",
)
_MARK = """
INSERT INTO measured_conversations AS c (tenant_id, conversation_id, marks, facts, due_at)
SELECT tenant_id, conversation_id, 1, 0, CAST(:now AS timestamptz) + :soon FROM concerned
ON CONFLICT (tenant_id, conversation_id) DO UPDATE SET marks = c.marks + 1,
  due_at = coalesce(c.due_at, CAST(:now AS timestamptz) + greatest(:soon, c.facts * CAST(:pause AS interval)))
"""
_LOG = text(f"""
WITH given AS MATERIALIZED (SELECT * FROM {_FACTS}),
logged AS (
  INSERT INTO facts ({_FACTS.columns}) SELECT {_FACTS.columns} FROM given
  ORDER BY event_id ON CONFLICT (event_id) DO NOTHING
),
concerned AS (SELECT DISTINCT tenant_id, conversation_id FROM given ORDER BY tenant_id, conversation_id)
{_MARK}
""")

# Of all kinds, so that the index by kind and time leads to those of a time.
_MARK_CONCERNED = text(f"""
WITH concerned AS MATERIALIZED (
  SELECT DISTINCT tenant_id, conversation_id FROM facts
  WHERE tenant_id = :tenant AND kind = ANY(CAST(:kinds AS text[]))
    AND happened_at >= coalesce(CAST(:since AS timestamptz), '-infinity')
    AND conversation_id > coalesce(CAST(:after AS uuid), '00000000-0000-0000-0000-000000000000')
  ORDER BY conversation_id LIMIT :most
), marked AS ({_MARK} RETURNING conversation_id)
SELECT conversation_id FROM marked ORDER BY conversation_id DESC OFFSET :most - 1
""")

_TENANTS = Rowset("row", tenant_id="uuid", version="int", time_zone="text", country="text", changed_at="timestamptz")
_KNOW = text(f"""
INSERT INTO tenants ({_TENANTS.columns}) SELECT DISTINCT ON (tenant_id, version) {_TENANTS.columns} FROM {_TENANTS}
ORDER BY tenant_id, version ON CONFLICT (tenant_id, version) DO NOTHING
""")
_FIRST = text("""
SELECT tenant_id, min(version) AS version FROM tenants
WHERE tenant_id = ANY(CAST(:tenants AS uuid[])) GROUP BY tenant_id
""")

_HOURS = Rowset(
    "row",
    event_id="uuid",
    tenant_id="uuid",
    queue_id="uuid",
    version="int",
    week="jsonb",
    exceptions="jsonb",
    holidays="bool",
    changed_at="timestamptz",
)
_KEEP_HOURS = text(f"""
INSERT INTO business_hours ({_HOURS.columns}) SELECT {_HOURS.columns} FROM {_HOURS}
ORDER BY event_id ON CONFLICT (event_id) DO NOTHING
""")


async def log_facts(facts: Sequence[Fact], now: datetime, session: AsyncSession) -> None:
    """Write them down, each once, and have their conversations measured soon."""
    await session.execute(_LOG, _FACTS.of(facts) | _times(now))


async def mark_concerned(
    tenant_id: UUID, since: datetime | None, after: UUID | None, now: datetime, session: AsyncSession, *, most: int
) -> UUID | None:
    """Have conversations measured of which there are facts since then, `most` of them, by their ids from `after` on.

    The last one is returned when there may be more.
    """
    values = {"tenant": tenant_id, "kinds": list(FactKind), "since": since, "after": after, "most": most}
    last: UUID | None = await session.scalar(_MARK_CONCERNED, values | _times(now))
    return last


async def know_tenants(tenants: Sequence[Tenant], session: AsyncSession) -> None:
    """Keep each version of each."""
    await session.execute(_KNOW, _TENANTS.of(tenants))


async def first_versions(tenants: Collection[UUID], session: AsyncSession) -> dict[UUID, int]:
    """The earliest version that is known of each tenant, if any is."""
    rows = await session.execute(_FIRST, {"tenants": sorted(tenants)})
    return {row.tenant_id: row.version for row in rows}


async def keep_hours(hours: Sequence[BusinessHours], session: AsyncSession) -> None:
    await session.execute(_KEEP_HOURS, _HOURS.of(hours))


def _times(now: datetime) -> dict[str, datetime | timedelta]:
    return {"now": now, "soon": SOON, "pause": PAUSE}
