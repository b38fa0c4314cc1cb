"""The queries behind tenants, queues and agents as routing keeps them: in sets, tenant first."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing.domain import CAPACITY, ChoosableQueue, default_queue
from services.routing.models import Agent
from shared.db import Rowset, Statement
from shared.events.gateway import TenantChanged

_TENANTS = Rowset("row", tenant_id="uuid", name="text", country="text", time_zone="text", locale="text", version="int")
_KEEP_TENANTS = Statement(f"""
INSERT INTO tenants AS t ({_TENANTS.columns}) SELECT {_TENANTS.columns} FROM {_TENANTS} ORDER BY tenant_id
ON CONFLICT (tenant_id) DO UPDATE SET name = excluded.name, country = excluded.country,
  time_zone = excluded.time_zone, locale = excluded.locale, version = excluded.version
WHERE t.version < excluded.version
RETURNING tenant_id, locale
""")

_QUEUES = Statement("""
SELECT id, tenant_id, channel_ids, priority FROM queues WHERE tenant_id = ANY (CAST(:tenants AS uuid[]))
""")

# As long as nobody changed it, the default queue is called as the tenant's language calls it.
_NAMES = Rowset("row", tenant_id="uuid", name="text")
_NAME_DEFAULT_QUEUES = Statement(f"""
INSERT INTO queues AS q (id, tenant_id, name, channel_ids, priority, version, created_at, updated_at)
SELECT tenant_id, tenant_id, name, '{{}}', 0, 1, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
FROM {_NAMES} ORDER BY tenant_id
ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE q.version = 1
""")

_USERS = Rowset("row", id="uuid", tenant_id="uuid", serves="bool", status="text", user_version="int")
_KEEP_USERS = Statement(f"""
INSERT INTO agents AS a ({_USERS.columns}, capacity, load, auto_accept, skills, queue_ids, version, created_at,
  updated_at)
SELECT {_USERS.columns}, {CAPACITY}, 0, false, '{{}}', '{{}}', 1, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
FROM {_USERS} ORDER BY id
ON CONFLICT (id) DO UPDATE SET serves = excluded.serves, status = excluded.status,
  user_version = excluded.user_version
""")


@dataclass(frozen=True, slots=True)
class User:
    """A user as an agent: whether he serves, and whether he is there."""

    id: UUID
    tenant_id: UUID
    serves: bool
    status: str
    user_version: int


@dataclass(frozen=True, slots=True)
class _DefaultQueue:
    tenant_id: UUID
    name: str


async def keep_tenants(told: Iterable[TenantChanged], now: datetime, session: AsyncSession) -> None:
    """Keep each tenant as it is now, with its default queue; one told of by an older version stays as it is."""
    newest = {event.tenant_id: event for event in sorted(told, key=lambda event: event.version)}.values()
    kept = await session.execute(_KEEP_TENANTS, _TENANTS.of(newest))
    names = [_DefaultQueue(tenant_id, default_queue(locale)) for tenant_id, locale in kept]
    await session.execute(_NAME_DEFAULT_QUEUES, _NAMES.of(names) | {"now": now})


async def queues_of(
    tenants: Collection[UUID], now: datetime, session: AsyncSession
) -> Mapping[UUID, Sequence[ChoosableQueue]]:
    """The queues of each tenant; one of which nothing was heard yet has its default queue from now on."""
    queues: dict[UUID, list[ChoosableQueue]] = {tenant_id: [] for tenant_id in tenants}
    for row in await session.execute(_QUEUES, {"tenants": list(tenants)}):
        queues[row.tenant_id].append(row)
    if missing := [tenant_id for tenant_id, own in queues.items() if tenant_id not in {queue.id for queue in own}]:
        names = [_DefaultQueue(tenant_id, default_queue("")) for tenant_id in missing]
        await session.execute(_NAME_DEFAULT_QUEUES, _NAMES.of(names) | {"now": now})
    return queues


async def users(ids: Iterable[UUID], tenants: Iterable[UUID], session: AsyncSession) -> dict[UUID, User]:
    """Those of these users who were heard of."""
    columns = (Agent.id, Agent.tenant_id, Agent.serves, Agent.status, Agent.user_version)
    query = select(*columns).where(Agent.tenant_id.in_(list(tenants)), Agent.id.in_(list(ids)))
    return {row.id: User(*row) for row in await session.execute(query)}


async def keep_users(kept: Iterable[User], now: datetime, session: AsyncSession) -> None:
    """Write who serves and who is there; who was not known becomes an agent."""
    await session.execute(_KEEP_USERS, _USERS.of(kept) | {"now": now})


async def agent(tenant_id: UUID, agent_id: UUID, session: AsyncSession) -> Agent | None:
    """Whoever serves and has this id."""
    query = select(Agent).where(Agent.tenant_id == tenant_id, Agent.id == agent_id, Agent.serves)
    return await session.scalar(query)
