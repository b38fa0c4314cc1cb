"""What metrics does with what it hears: it writes down facts."""

from collections.abc import Sequence
from datetime import datetime

from services.metrics import store
from services.metrics.domain import Fact, FactKind
from services.metrics.models import Tenant
from shared.db import UnitOfWork
from shared.events.conversation import (
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
)
from shared.events.gateway import TenantChanged

OfConversation = ConversationOpened | ConversationReopened | ConversationResolved | MessageAdded


async def count_messages(events: Sequence[MessageAdded], uow: UnitOfWork) -> None:
    kinds = {True: FactKind.MESSAGE_RECEIVED, False: FactKind.MESSAGE_SENT}
    facts = [_fact(event, kinds[event.direction == "inbound"], event.sent_at) for event in events]
    await store.log_facts(facts, uow.session)


async def count_openings(events: Sequence[ConversationOpened], uow: UnitOfWork) -> None:
    facts = [_fact(event, FactKind.CONVERSATION_OPENED, event.opened_at) for event in events]
    await store.log_facts(facts, uow.session)


async def count_reopenings(events: Sequence[ConversationReopened], uow: UnitOfWork) -> None:
    facts = [_fact(event, FactKind.CONVERSATION_REOPENED, event.reopened_at) for event in events]
    await store.log_facts(facts, uow.session)


async def count_resolutions(events: Sequence[ConversationResolved], uow: UnitOfWork) -> None:
    facts = [_fact(event, FactKind.CONVERSATION_RESOLVED, event.resolved_at) for event in events]
    await store.log_facts(facts, uow.session)


async def know_tenants(events: Sequence[TenantChanged], uow: UnitOfWork) -> None:
    """Keep what the figures need of a tenant: its time zone."""
    tenants = [Tenant(tenant_id=event.tenant_id, time_zone=event.time_zone, version=event.version) for event in events]
    await store.know_tenants(tenants, uow.session)


def _fact(event: OfConversation, kind: FactKind, happened_at: datetime) -> Fact:
    return Fact(
        event_id=event.envelope.id,
        tenant_id=event.tenant_id,
        kind=kind,
        conversation_id=event.conversation_id,
        channel_id=event.channel_id,
        channel_kind=event.channel_kind,
        happened_at=happened_at,
    )
