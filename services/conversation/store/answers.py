"""The queries behind what is sent from here: in sets, tenant first."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.conversation.models import Conversation, Message
from services.conversation.store.arrivals import ThreadKey
from shared.db import Rowset, Statement
from shared.events.ingest import Address

Id = tuple[UUID, UUID]
"""A tenant, and the id of something of his."""

_CONTACTS = Rowset("wanted", tenant_id="uuid", contact_id="uuid", channel_id="uuid")
_RECIPIENTS = Statement(f"""
SELECT a.tenant_id, a.contact_id, a.channel_id, a.kind, a.value
FROM {_CONTACTS} JOIN contact_addresses a USING (tenant_id, contact_id, channel_id)
ORDER BY a.created_at DESC, a.id
""")


async def conversations_to_answer(ids: Collection[Id], session: AsyncSession) -> dict[Id, Conversation]:
    """These conversations, locked in the order in which arriving messages lock them."""
    query = select(Conversation).where(tuple_(Conversation.tenant_id, Conversation.id).in_(list(ids)))
    order = (Conversation.tenant_id, Conversation.contact_id, Conversation.channel_id, Conversation.id)
    rows = await session.scalars(query.order_by(*order).with_for_update())
    return {(row.tenant_id, row.id): row for row in rows}


async def recipients(keys: Collection[ThreadKey], session: AsyncSession) -> defaultdict[ThreadKey, list[Address]]:
    """All addresses of each contact on a channel, those learned last first."""
    found: defaultdict[ThreadKey, list[Address]] = defaultdict(list)
    for tenant_id, contact_id, channel_id, kind, value in await session.execute(_RECIPIENTS, _CONTACTS.of(keys)):
        found[ThreadKey(tenant_id, contact_id, channel_id)].append(Address(kind=kind, value=value))
    return found


async def messages_here(ids: Collection[Id], session: AsyncSession) -> set[Id]:
    """Those of these messages that are here."""
    query = select(Message.tenant_id, Message.id).where(tuple_(Message.tenant_id, Message.id).in_(list(ids)))
    return {(tenant_id, message_id) for tenant_id, message_id in await session.execute(query)}
