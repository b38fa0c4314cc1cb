"""Every query about what providers sent, tenant first."""

from collections.abc import Sequence
from dataclasses import fields
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingest.domain import KeptItem
from services.ingest.models import DeliveryStatus, RawEvent
from shared.db import Rowset, Session, Statement

# Sorted by the unique key, so that two writers of the same items wait for each other instead of locking each other out.
_ITEMS = Rowset(
    "row",
    id="uuid",
    tenant_id="uuid",
    channel_id="uuid",
    dedup_key="text",
    path="text",
    account="text",
    body="bytea",
    state="text",
    reason="text",
    received_at="timestamptz",
    sender_ref="text",
)
_ADD = f"""
INSERT INTO raw_events ({_ITEMS.columns}) SELECT {_ITEMS.columns} FROM {_ITEMS}
ORDER BY tenant_id, channel_id, dedup_key
"""
_ADD_ALL = Statement(_ADD)
_ADD_NEW = Statement(f"{_ADD} ON CONFLICT (tenant_id, channel_id, dedup_key) DO NOTHING RETURNING id")


async def add_raw_events(rows: Sequence[KeptItem], session: Session) -> None:
    """Store the items; one that is there already raises a unique violation, with the commit at the latest."""
    await session.leave(_ADD_ALL, _ITEMS.of(rows))


async def add_new_raw_events(rows: Sequence[KeptItem], session: AsyncSession) -> frozenset[UUID]:
    """Store the items that were not there yet; the ids of those."""
    return frozenset((await session.execute(_ADD_NEW, _ITEMS.of(rows))).scalars())


async def keep_statuses(rows: Sequence[dict[str, object]], session: AsyncSession) -> None:
    await session.execute(insert(DeliveryStatus), list(rows))


async def raw_event(tenant_id: UUID, raw_event_id: UUID, session: AsyncSession) -> KeptItem | None:
    """The raw event, locked: two replays of it follow one another."""
    query = select(RawEvent).where(RawEvent.tenant_id == tenant_id, RawEvent.id == raw_event_id)
    row = await session.scalar(query.with_for_update())
    return KeptItem(**{each.name: getattr(row, each.name) for each in fields(KeptItem)}) if row is not None else None


async def settle_raw_event(item: KeptItem, session: AsyncSession) -> None:
    """Write down what became of a raw event."""
    change = update(RawEvent).where(RawEvent.tenant_id == item.tenant_id, RawEvent.id == item.id)
    settled = {"state": item.state, "reason": item.reason, "channel_id": item.channel_id}
    await session.execute(change.values(**settled, sender_ref=item.sender_ref))


async def list_raw_events(
    tenant_id: UUID,
    session: AsyncSession,
    *,
    state: str,
    channel_id: UUID | None,
    after: UUID | None,
    limit: int,
) -> Sequence[RawEvent]:
    query = select(RawEvent).where(RawEvent.tenant_id == tenant_id, RawEvent.state == state)
    if channel_id is not None:
        query = query.where(RawEvent.channel_id == channel_id)
    if after is not None:
        query = query.where(RawEvent.id > after)
    return (await session.scalars(query.order_by(RawEvent.id).limit(limit))).all()
