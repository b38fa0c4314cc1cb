"""Every query of metrics, tenant first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.metrics.domain import Fact, FactKind, Grouping
from services.metrics.models import Tenant
from shared.db import Rowset

_FACTS = Rowset(
    "row",
    event_id="uuid",
    tenant_id="uuid",
    kind="text",
    conversation_id="uuid",
    channel_id="uuid",
    channel_kind="text",
    happened_at="timestamptz",
)
_LOG = text(f"""
INSERT INTO facts ({_FACTS.columns}) SELECT {_FACTS.columns} FROM {_FACTS}
ORDER BY event_id ON CONFLICT (event_id) DO NOTHING
""")

_TENANTS = Rowset("row", tenant_id="uuid", time_zone="text", version="int")
_KNOW = text(f"""
INSERT INTO tenants AS t ({_TENANTS.columns})
SELECT DISTINCT ON (tenant_id) {_TENANTS.columns} FROM {_TENANTS} ORDER BY tenant_id, version DESC
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
    await session.execute(_LOG, _FACTS.of(facts))


async def know_tenants(tenants: Sequence[Tenant], session: AsyncSession) -> None:
    """Keep the newest version of each."""
    await session.execute(_KNOW, _TENANTS.of(tenants))


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
