"""What Balcão says by itself, where the tenant switched it on."""

from collections.abc import Sequence
from typing import cast

from services.routing import store
from services.routing.domain import (
    Case,
    ReplyKind,
    Tone,
    greeting,
    opens_at,
    out_of_hours,
    replied,
    reply_to,
)
from services.routing.handlers.dispatch import Dispatch
from services.routing.models import AutoReplies, BusinessHours, Tenant
from shared.db import UnitOfWork
from shared.events.conversation import MessageAdded
from shared.events.routing import AutoReplyDecided
from shared.opening_hours import Schedule, schedule_of


async def decide_replies(inbound: Sequence[MessageAdded], dispatch: Dispatch, uow: UnitOfWork) -> None:
    """Tell those who wrote what they are to be told: a greeting, or that nobody is there and when somebody will be."""
    if not inbound:
        return
    tenants = await store.replying_tenants({event.tenant_id for event in inbound}, uow.session)
    if not tenants:
        return
    await dispatch.queue()
    hours = await store.hours_of(tenants, uow.session)
    for event in inbound:
        if event.tenant_id not in tenants:
            continue
        tenant, replies = tenants[event.tenant_id]
        case = dispatch.case(event.conversation_id)
        schedule = schedule_in(
            hours.get((tenant.tenant_id, case.queue_id)) or hours.get((tenant.tenant_id, None)), tenant
        )
        kind = reply_to(case, schedule, uow.now, begins=event.seq == 1)
        if kind is None or not getattr(replies, kind):
            continue
        dispatch.put(case, replied(case, kind, uow.now))
        uow.emit(_decided(case, kind, _text(kind, tenant, replies, schedule, uow), uow), caused_by=event)


def schedule_in(hours: BusinessHours | None, tenant: Tenant) -> Schedule | None:
    """The schedule of a tenant's hours, by its own clock and the holidays of its country; none without hours."""
    if hours is None or hours.week is None:
        return None
    return schedule_of(
        hours.week,
        hours.exceptions,
        time_zone=tenant.time_zone,
        holidays_of=tenant.country if hours.holidays else None,
    )


def _text(kind: ReplyKind, tenant: Tenant, replies: AutoReplies, schedule: Schedule | None, uow: UnitOfWork) -> str:
    tone = cast("Tone", replies.tone)
    if kind == "greeting":
        return greeting(tenant.locale, tone, tenant.name)
    opening = opens_at(schedule, uow.now)
    return out_of_hours(tenant.locale, tone, tenant.name, opening, uow.now, tenant.time_zone)


def _decided(case: Case, kind: ReplyKind, text: str, uow: UnitOfWork) -> AutoReplyDecided:
    return AutoReplyDecided(
        tenant_id=case.tenant_id,
        conversation_id=case.conversation_id,
        contact_id=case.contact_id,
        channel_id=case.channel_id,
        reply_id=uow.new_id(),
        kind=kind,
        text=text,
        decided_at=uow.now,
    )
