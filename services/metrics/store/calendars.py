"""The queries behind business hours: where tenants were, and when they were open, at any time."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.metrics.domain import Calendar, Hours, Place
from services.metrics.models import BusinessHours, Tenant
from shared.db import Rowset, Statement

_TENANTS = Rowset("row", tenant_id="uuid", version="int", time_zone="text", country="text", changed_at="timestamptz")
_KNOW = Statement(f"""
INSERT INTO tenants ({_TENANTS.columns}) SELECT DISTINCT ON (tenant_id, version) {_TENANTS.columns} FROM {_TENANTS}
ORDER BY tenant_id, version ON CONFLICT (tenant_id, version) DO NOTHING
""")
_FIRST = Statement("""
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
_KEEP_HOURS = Statement(f"""
INSERT INTO business_hours ({_HOURS.columns}) SELECT {_HOURS.columns} FROM {_HOURS}
ORDER BY event_id ON CONFLICT (event_id) DO NOTHING
""")

_PLACES = Statement("""
SELECT tenant_id, version, time_zone, country, changed_at FROM tenants WHERE tenant_id = ANY(CAST(:tenants AS uuid[]))
""")
_HOURS_OF = Statement("""
SELECT tenant_id, queue_id, version, changed_at, week, exceptions, holidays
FROM business_hours WHERE tenant_id = ANY(CAST(:tenants AS uuid[]))
""")


async def know_tenants(tenants: Sequence[Tenant], session: AsyncSession) -> None:
    """Keep each version of each."""
    await session.execute(_KNOW, _TENANTS.of(tenants))


async def first_versions(tenants: Collection[UUID], session: AsyncSession) -> dict[UUID, int]:
    """The earliest version that is known of each tenant, if any is."""
    rows = await session.execute(_FIRST, {"tenants": sorted(tenants)})
    return {row.tenant_id: row.version for row in rows}


async def keep_hours(hours: Sequence[BusinessHours], session: AsyncSession) -> None:
    await session.execute(_KEEP_HOURS, _HOURS.of(hours))


async def calendars(tenants: Collection[UUID], session: AsyncSession) -> Mapping[UUID, Calendar]:
    """When each of these tenants was open, at any time."""
    wanted = {"tenants": sorted(tenants)}
    places: dict[UUID, list[Place]] = defaultdict(list)
    for tenant_id, *place in await session.execute(_PLACES, wanted):
        places[tenant_id].append(Place(*place))
    hours: dict[UUID, list[Hours]] = defaultdict(list)
    for tenant_id, *told in await session.execute(_HOURS_OF, wanted):
        hours[tenant_id].append(Hours(*told))
    return {tenant_id: Calendar(places[tenant_id], hours[tenant_id]) for tenant_id in tenants}
