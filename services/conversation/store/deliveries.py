"""The queries behind what becomes of messages that were sent from here: in sets, tenant first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import Rowset, Statement
from shared.events.ingest import DeliveryChanged


@dataclass(slots=True)
class Outgoing:
    """A message that was sent from here, with what is known of it."""

    id: UUID
    tenant_id: UUID
    channel_id: UUID
    channel_kind: str
    attempt: int
    status: str
    status_at: datetime
    error_code: str | None
    error_title: str | None
    provider_message_id: str | None


_WANTED = Rowset("wanted", tenant_id="uuid", message_id="uuid")
_OUTGOING = Statement(f"""
SELECT m.id, m.tenant_id, m.channel_id, c.channel_kind, m.attempt, m.status, m.status_at, m.error_code, m.error_title,
  m.provider_message_id
FROM {_WANTED} JOIN messages m ON m.tenant_id = wanted.tenant_id AND m.id = wanted.message_id
  JOIN conversations c ON c.tenant_id = m.tenant_id AND c.id = m.conversation_id
WHERE m.status IS NOT NULL ORDER BY m.id FOR UPDATE OF m
""")

_SETTLED = Rowset(
    "row",
    id="uuid",
    tenant_id="uuid",
    channel_id="uuid",
    status="text",
    status_at="timestamptz",
    error_code="text",
    error_title="text",
    provider_message_id="text",
)
# Whoever has the provider's id of another message gives it up; an echo that was not held long enough to be known as one
# turns out to be the same message, and is shown no more.
_GIVE_UP = Statement(f"""
UPDATE messages AS m SET provider_message_id = NULL,
  same_as = CASE WHEN m.direction = 'outbound' AND m.status IS NULL THEN row.id END
FROM {_SETTLED} WHERE m.tenant_id = row.tenant_id AND m.channel_id = row.channel_id
  AND m.provider_message_id = row.provider_message_id AND m.id <> row.id
""")
_SETTLE = Statement(f"""
UPDATE messages AS m SET status = row.status, status_at = row.status_at, error_code = row.error_code,
  error_title = row.error_title, provider_message_id = row.provider_message_id
FROM {_SETTLED} WHERE m.tenant_id = row.tenant_id AND m.id = row.id
""")


async def outgoing(events: Iterable[DeliveryChanged], session: AsyncSession) -> dict[tuple[UUID, UUID], Outgoing]:
    """The messages that these events are about, by tenant and id, locked; only those that were sent from here."""
    wanted = {(event.tenant_id, event.message_id): event for event in events}
    rows = await session.execute(_OUTGOING, _WANTED.of(wanted.values()))
    return {(row.tenant_id, row.id): Outgoing(*row) for row in rows}


async def settle(settled: Iterable[Outgoing], session: AsyncSession) -> None:
    """Write down what is known of messages that were sent from here."""
    await session.execute(_SETTLE, _SETTLED.of(settled))


async def give_up_names(named: Iterable[Outgoing], session: AsyncSession) -> None:
    """Let no other message have the provider's ids of these; what was their echo is them."""
    await session.execute(_GIVE_UP, _SETTLED.of(named))
