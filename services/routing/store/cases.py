"""The queries behind who waits and who answers: in sets, tenant first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing.domain import Case, Server
from shared.db import Rowset, Session, Statement, hold_names


class OfConversation(Protocol):
    """Whatever is about a conversation."""

    @property
    def tenant_id(self) -> UUID: ...
    @property
    def conversation_id(self) -> UUID: ...


@dataclass(frozen=True, slots=True)
class _Key:
    tenant_id: UUID
    conversation_id: UUID


@dataclass(frozen=True, slots=True)
class NewOffer:
    """An agent is asked to answer a conversation."""

    id: UUID
    tenant_id: UUID
    conversation_id: UUID
    agent_id: UUID
    offered_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EndedOffer:
    """What became of an offer."""

    id: UUID
    tenant_id: UUID
    agent_id: UUID
    state: str


@dataclass(frozen=True, slots=True)
class NewRefusal:
    """An agent did not take a conversation."""

    tenant_id: UUID
    conversation_id: UUID
    agent_id: UUID
    missed: bool


@dataclass(frozen=True, slots=True)
class LoadChange:
    """By how much an agent's load rises or falls."""

    tenant_id: UUID
    agent_id: UUID
    weight: int


_KEPT = Rowset(
    "row",
    conversation_id="uuid",
    tenant_id="uuid",
    contact_id="uuid",
    channel_id="uuid",
    channel_kind="text",
    weight="int",
    told_at="timestamptz",
    status="text",
    waiting_since="timestamptz",
    queue_id="uuid",
    queued_at="timestamptz",
    agent_id="uuid",
    assigned_at="timestamptz",
    last_agent_id="uuid",
    offer_id="uuid",
    offered_to="uuid",
    closed_at="timestamptz",
    greeted_at="timestamptz",
    away_told_at="timestamptz",
)
_NEVER_CHANGED = {"conversation_id", "tenant_id", "contact_id", "channel_id", "channel_kind", "weight"}
_CHANGED = [column for column in _KEPT.columns.split(", ") if column not in _NEVER_CHANGED]
_KEEP = Statement(f"""
INSERT INTO cases ({_KEPT.columns}) SELECT {_KEPT.columns} FROM {_KEPT} ORDER BY conversation_id
ON CONFLICT (conversation_id) DO UPDATE SET {", ".join(f"{column} = excluded.{column}" for column in _CHANGED)}
""")

_CASE = ", ".join(f"c.{name}" for name in Case._fields if name not in {"refused_by", "missed_by"})
_REFUSED = "FROM refusals r WHERE r.tenant_id = c.tenant_id AND r.conversation_id = c.conversation_id"
_WITH_REFUSALS = f"""{_CASE},
  ARRAY(SELECT r.agent_id {_REFUSED} AND NOT r.missed) AS refused_by,
  ARRAY(SELECT r.agent_id {_REFUSED} AND r.missed) AS missed_by"""

_WANTED = Rowset("wanted", tenant_id="uuid", conversation_id="uuid")
_CASES = Statement(f"SELECT {_WITH_REFUSALS} FROM {_WANTED} JOIN cases c USING (tenant_id, conversation_id)")
_HELD_BY = Statement(f"""
SELECT {_WITH_REFUSALS} FROM cases c
WHERE c.tenant_id = ANY (CAST(:tenants AS uuid[])) AND c.agent_id = ANY (CAST(:agents AS uuid[]))
""")
_OFFERED_TO = Statement(f"""
SELECT {_WITH_REFUSALS} FROM offers o JOIN cases c USING (tenant_id, conversation_id)
WHERE o.tenant_id = ANY (CAST(:tenants AS uuid[])) AND o.agent_id = ANY (CAST(:agents AS uuid[])) AND o.state = 'open'
""")

_HAS_ROOM = "a.status = 'online' AND a.serves AND a.load < a.capacity"
_SERVERS = Statement(f"""
SELECT a.id, a.tenant_id, a.capacity - a.load AS room, a.auto_accept, a.queue_ids FROM agents a
WHERE a.tenant_id = ANY (CAST(:tenants AS uuid[])) AND {_HAS_ROOM}
""")
# Of each queue those who wait longest and whom somebody may take, as many as there is room for all queues.
_LINE = Statement(f"""
SELECT {_CASE}, c.refused_by, c.missed_by FROM queues q, LATERAL (
  SELECT {_WITH_REFUSALS} FROM cases c
  WHERE c.tenant_id = q.tenant_id AND c.queue_id = q.id AND c.status = 'open' AND c.agent_id IS NULL
    AND c.offer_id IS NULL AND EXISTS (
      SELECT FROM agents a
      WHERE a.tenant_id = c.tenant_id AND {_HAS_ROOM} AND a.load + c.weight <= a.capacity
        AND (a.queue_ids = '{{}}' OR c.queue_id = ANY (a.queue_ids))
        AND NOT EXISTS (SELECT {_REFUSED} AND r.agent_id = a.id AND NOT r.missed)
    )
  ORDER BY c.queued_at, c.conversation_id LIMIT :room
) AS c
WHERE q.tenant_id = ANY (CAST(:tenants AS uuid[]))
ORDER BY q.priority DESC, c.queued_at, c.conversation_id
""")

_LOADS = Rowset("row", tenant_id="uuid", agent_id="uuid", weight="int")
_CHANGE_LOADS = Statement(f"""
UPDATE agents AS a SET load = a.load + row.weight FROM {_LOADS}
WHERE a.tenant_id = row.tenant_id AND a.id = row.agent_id
""")

_OFFERS = Rowset(
    "row",
    id="uuid",
    tenant_id="uuid",
    conversation_id="uuid",
    agent_id="uuid",
    offered_at="timestamptz",
    expires_at="timestamptz",
)
_ADD_OFFERS = Statement(f"""
INSERT INTO offers ({_OFFERS.columns}, state) SELECT {_OFFERS.columns}, 'open' FROM {_OFFERS} ORDER BY id
""")
_ENDED = Rowset("row", id="uuid", tenant_id="uuid", state="text")
_END_OFFERS = Statement(f"""
UPDATE offers AS o SET state = row.state, ended_at = :now FROM {_ENDED}
WHERE o.tenant_id = row.tenant_id AND o.id = row.id
""")

_REFUSALS = Rowset("row", tenant_id="uuid", conversation_id="uuid", agent_id="uuid", missed="bool")
_ADD_REFUSALS = Statement(f"""
INSERT INTO refusals ({_REFUSALS.columns}) SELECT {_REFUSALS.columns} FROM {_REFUSALS}
ORDER BY conversation_id, agent_id
ON CONFLICT (conversation_id, agent_id) DO UPDATE SET missed = excluded.missed
""")
_FORGET_REFUSALS = Statement(f"""
DELETE FROM refusals r USING {_WANTED}
WHERE r.tenant_id = wanted.tenant_id AND r.conversation_id = wanted.conversation_id
""")


async def hold(tenants: Iterable[UUID], session: Session) -> None:
    """Let nobody else decide who answers in these tenants until the end of the transaction.

    Whoever decides takes this lock before any other: so none waits unseen while another's agent becomes free, and none
    stands in another's way.
    """
    await hold_names((f"who answers|{tenant_id}" for tenant_id in tenants), session)


async def cases(wanted: Iterable[OfConversation], session: AsyncSession) -> dict[UUID, Case]:
    """The cases that these are about, by conversation."""
    keys = {one.conversation_id: one for one in wanted}.values()
    rows = await session.execute(_CASES, _WANTED.of(keys))
    return {case.conversation_id: case for case in map(_case, rows)}


async def case_of(tenant_id: UUID, conversation_id: UUID, session: AsyncSession) -> Case | None:
    """The case of one conversation."""
    return (await cases([_Key(tenant_id, conversation_id)], session)).get(conversation_id)


async def held_by(tenants: Iterable[UUID], agents: Iterable[UUID], session: AsyncSession) -> list[Case]:
    """The cases that these agents answer."""
    return [_case(row) for row in await session.execute(_HELD_BY, {"tenants": list(tenants), "agents": list(agents)})]


async def asked_of(tenants: Iterable[UUID], agents: Iterable[UUID], session: AsyncSession) -> list[Case]:
    """The cases that these agents are asked to answer."""
    values = {"tenants": list(tenants), "agents": list(agents)}
    return [_case(row) for row in await session.execute(_OFFERED_TO, values)]


async def servers(tenants: Iterable[UUID], session: AsyncSession) -> list[Server]:
    """The agents who are online and have room."""
    rows = await session.execute(_SERVERS, {"tenants": list(tenants)})
    return [Server(row.id, row.tenant_id, row.room, row.auto_accept, frozenset(row.queue_ids)) for row in rows]


async def line(tenants: Iterable[UUID], room: int, session: AsyncSession) -> list[Case]:
    """Who waits, is not offered, and could be taken by somebody: by the queue's priority, then by age.

    Fewer than `room` are all there are.
    """
    return [_case(row) for row in await session.execute(_LINE, {"tenants": list(tenants), "room": room})]


async def keep(kept: Iterable[Case], session: Session) -> None:
    """Write the cases as they are, but for who refused them."""
    await session.leave(_KEEP, _KEPT.of(kept))


async def change_loads(changes: Iterable[LoadChange], session: Session) -> None:
    """Let loads rise and fall; where one would rise above the capacity, the transaction fails."""
    await session.leave(_CHANGE_LOADS, _LOADS.of(changes))


async def add_offers(offers: Iterable[NewOffer], session: Session) -> None:
    await session.leave(_ADD_OFFERS, _OFFERS.of(offers))


async def end_offers(ended: Iterable[EndedOffer], now: datetime, session: Session) -> None:
    await session.leave(_END_OFFERS, _ENDED.of(ended) | {"now": now})


async def add_refusals(refusals: Iterable[NewRefusal], session: Session) -> None:
    await session.leave(_ADD_REFUSALS, _REFUSALS.of(refusals))


async def forget_refusals(of: Iterable[Case], session: Session) -> None:
    await session.leave(_FORGET_REFUSALS, _WANTED.of(of))


def _case(row: Row[Any]) -> Case:
    values: dict[str, Any] = row._asdict()
    return Case(**values | {name: frozenset(values[name]) for name in ("refused_by", "missed_by")})
