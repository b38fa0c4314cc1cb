"""Every query of routing, tenant first."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import domain
from services.routing.models import Case

_CASES = text("""
SELECT c.* FROM unnest(CAST(:tenants AS uuid[]), CAST(:ids AS uuid[])) AS wanted(tenant_id, conversation_id)
JOIN cases c USING (tenant_id, conversation_id)
ORDER BY conversation_id FOR UPDATE OF c
""")

_KEEP = text("""
INSERT INTO cases (conversation_id, tenant_id, channel_kind, waiting_since, paused, closed_at, told_at)
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:tenants AS uuid[]), CAST(:kinds AS text[]),
  CAST(:waiting AS timestamptz[]), CAST(:paused AS bool[]), CAST(:closed AS timestamptz[]),
  CAST(:told AS timestamptz[]))
  AS row(conversation_id, tenant_id, channel_kind, waiting_since, paused, closed_at, told_at)
ORDER BY conversation_id
ON CONFLICT (conversation_id) DO UPDATE SET
  waiting_since = excluded.waiting_since, paused = excluded.paused, closed_at = excluded.closed_at,
  told_at = excluded.told_at
""")


async def cases(keys: Iterable[tuple[UUID, UUID]], session: AsyncSession) -> dict[UUID, domain.Case]:
    """The cases of these conversations, by tenant and id, locked."""
    wanted = list(keys)
    values = {"tenants": [tenant for tenant, _ in wanted], "ids": [id_ for _, id_ in wanted]}
    return {
        row.conversation_id: domain.Case(
            row.conversation_id,
            row.tenant_id,
            row.channel_kind,
            row.waiting_since,
            row.paused,
            row.closed_at,
            row.told_at,
        )
        for row in await session.execute(_CASES, values)
    }


async def keep_cases(cases: Sequence[domain.Case], session: AsyncSession) -> None:
    values = {
        "ids": [case.conversation_id for case in cases],
        "tenants": [case.tenant_id for case in cases],
        "kinds": [case.channel_kind for case in cases],
        "waiting": [case.waiting_since for case in cases],
        "paused": [case.paused for case in cases],
        "closed": [case.closed_at for case in cases],
        "told": [case.told_at for case in cases],
    }
    await session.execute(_KEEP, values)


async def waiting(tenant_id: UUID, session: AsyncSession) -> tuple[int, datetime | None]:
    """How many conversations wait for an answer, and since when the first of them."""
    query = select(func.count(), func.min(Case.waiting_since)).where(
        Case.tenant_id == tenant_id, Case.waiting_since.is_not(None), ~Case.paused
    )
    count, since = (await session.execute(query)).one()
    return count, since
