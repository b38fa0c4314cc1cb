"""Every query of metrics, tenant first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.metrics.domain import Fact, FactKind, Grouping
from services.metrics.models import Tenant

_LOG = text("""
INSERT INTO facts (event_id, tenant_id, kind, conversation_id, channel_id, channel_kind, happened_at)
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:tenants AS uuid[]), CAST(:kinds AS text[]),
  CAST(:conversations AS uuid[]), CAST(:channels AS uuid[]), CAST(:channel_kinds AS text[]),
  CAST(:moments AS timestamptz[]))
  AS row(event_id, tenant_id, kind, conversation_id, channel_id, channel_kind, happened_at)
ORDER BY event_id
ON CONFLICT (event_id) DO NOTHING
""")

_KNOW = text("""
INSERT INTO tenants AS t (tenant_id, time_zone, version)
SELECT DISTINCT ON (tenant_id) * FROM unnest(CAST(:ids AS uuid[]), CAST(:zones AS text[]), CAST(:versions AS int[]))
  AS row(tenant_id, time_zone, version)
ORDER BY tenant_id, version DESC
ON CONFLICT (tenant_id) DO UPDATE SET time_zone = excluded.time_zone, version = excluded.version
WHERE t.version < excluded.version
""")

_GROUPS = {
    None: "NULL::text",
    Grouping.CHANNEL: "channel_id::text",
    Grouping.DAY: "((happened_at AT TIME ZONE (SELECT time_zone FROM tenants WHERE tenant_id = :tenant))::date)::text",
}
_COUNT = {
    grouping: text(f"""
SELECT {group} AS "group", count(*) AS count FROM facts
WHERE tenant_id = :tenant AND kind = :kind
  AND happened_at >= coalesce(CAST(:since AS timestamptz), '-infinity')
  AND happened_at < coalesce(CAST(:until AS timestamptz), 'infinity')
GROUP BY 1 ORDER BY 1
""")
    for grouping, group in _GROUPS.items()
}


async def is_known(tenant_id: UUID, session: AsyncSession) -> bool:
    """Whether the tenant's time zone is known."""
    return await session.get(Tenant, tenant_id) is not None


async def log_facts(facts: Sequence[Fact], session: AsyncSession) -> None:
    values = {
        "ids": [fact.event_id for fact in facts],
        "tenants": [fact.tenant_id for fact in facts],
        "kinds": [fact.kind for fact in facts],
        "conversations": [fact.conversation_id for fact in facts],
        "channels": [fact.channel_id for fact in facts],
        "channel_kinds": [fact.channel_kind for fact in facts],
        "moments": [fact.happened_at for fact in facts],
    }
    await session.execute(_LOG, values)


async def know_tenants(tenants: Sequence[Tenant], session: AsyncSession) -> None:
    """Keep the newest version of each."""
    values = {
        "ids": [tenant.tenant_id for tenant in tenants],
        "zones": [tenant.time_zone for tenant in tenants],
        "versions": [tenant.version for tenant in tenants],
    }
    await session.execute(_KNOW, values)


async def count(
    tenant_id: UUID,
    kind: FactKind,
    session: AsyncSession,
    *,
    since: datetime | None,
    until: datetime | None,
    group_by: Grouping | None,
) -> Sequence[Row[Any]]:
    """How often it happened from `since` until before `until`, in groups; days are the tenant's."""
    values = {"tenant": tenant_id, "kind": kind.value, "since": since, "until": until}
    return (await session.execute(_COUNT[group_by], values)).all()
