"""What Balcão says by itself: once, in the tenant's language, and only where it was switched on."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from services.routing import handlers
from shared.events.conversation import MessageAdded
from shared.events.routing import AutoReplyDecided
from tests.services.routing.counter import Counter, tenant_changed
from tests.support.conversations import Conversation
from tests.support.events import NOON

# A Friday at noon in UTC is 09:00 in São Paulo.
MORNINGS = {"friday": [{"start": "09:00", "end": "12:00"}]}
EVENING = NOON + timedelta(hours=12)


async def let_speak(counter: Counter, week: dict[str, Any] | None = None, **changes: Any) -> None:
    """A tenant that lets Balcão say everything, with these hours."""
    await counter.hear(tenant_changed(counter.tenant_id))
    fields = {"greeting": True, "out_of_hours": True, "tone": "friendly"} | changes
    async with counter.database.unit_of_work([counter.tenant_id]) as uow:
        await handlers.set_auto_replies(None, counter.tenant_id, fields, uow)
        if week is not None:
            hours = {"week": week, "exceptions": {}, "holidays": False}
            await handlers.set_hours(None, counter.tenant_id, None, hours, uow)


async def replies(counter: Counter) -> list[str]:
    return [event.kind for event in await counter.said(AutoReplyDecided)]


def message(one: Conversation, at: datetime, seq: int = 1, **changes: Any) -> MessageAdded:
    """A message said at a moment."""
    said = one.message((at - NOON).total_seconds())
    return MessageAdded(**said.model_dump() | {"seq": seq} | changes).in_envelope(said.envelope)


async def test_a_customer_is_greeted_once(counter: Counter) -> None:
    await let_speak(counter, MORNINGS)
    one = Conversation(counter.tenant_id)
    await counter.hear(one.opened(0), message(one, NOON))
    await counter.hear(message(one, NOON, seq=2), message(one, NOON, seq=1))
    (reply,) = await counter.said(AutoReplyDecided)
    assert (reply.kind, reply.conversation_id, reply.contact_id) == ("greeting", one.conversation_id, one.contact_id)
    assert "Padaria Sol" in reply.text


async def test_a_conversation_that_the_tenant_began_is_not_greeted(counter: Counter) -> None:
    await let_speak(counter)
    one = Conversation(counter.tenant_id)
    await counter.hear(message(one, NOON, direction="outbound"), message(one, NOON, seq=2))
    assert await replies(counter) == []


async def test_out_of_hours_a_customer_is_told_once_an_absence(counter: Counter) -> None:
    await let_speak(counter, MORNINGS)
    one = Conversation(counter.tenant_id)
    for days in (0, 0, 3, 7):
        at = EVENING + timedelta(days=days)
        await counter.hear(message(one, at), now=at)
    assert await replies(counter) == ["out_of_hours"] * 2


async def test_he_is_told_when_it_opens(counter: Counter) -> None:
    await let_speak(counter, {"saturday": [{"start": "08:30", "end": "12:00"}]})
    await counter.hear(message(Conversation(counter.tenant_id), NOON))
    (reply,) = await counter.said(AutoReplyDecided)
    assert reply.kind == "out_of_hours"
    assert "amanhã" in reply.text


@pytest.mark.parametrize("switch", ["greeting", "out_of_hours"])
async def test_what_is_switched_off_is_not_said(counter: Counter, switch: str) -> None:
    await let_speak(counter, MORNINGS, **{switch: False})
    for at in (NOON, EVENING):
        await counter.hear(message(Conversation(counter.tenant_id), at), now=at)
    assert await replies(counter) == [kind for kind in ("greeting", "out_of_hours") if kind != switch]


async def test_without_a_word_of_the_tenant_nothing_is_said(counter: Counter) -> None:
    await counter.hear(tenant_changed(counter.tenant_id), message(Conversation(counter.tenant_id), NOON))
    assert await replies(counter) == []


async def test_the_hours_of_a_queue_go_before_those_of_the_tenant(counter: Counter) -> None:
    await let_speak(counter, MORNINGS)
    async with counter.database.unit_of_work([counter.tenant_id]) as uow:
        never = {"week": {}, "exceptions": {}, "holidays": False}
        await handlers.set_hours(None, counter.tenant_id, counter.tenant_id, never, uow)
    await counter.hear(message(Conversation(counter.tenant_id), NOON))
    assert await replies(counter) == ["out_of_hours"]


async def test_what_balcao_says_by_itself_answers_nobody(counter: Counter) -> None:
    one = Conversation(counter.tenant_id)
    await counter.hear(message(one, NOON), message(one, NOON, seq=2, direction="outbound", author_kind="system"))
    assert (await counter.case(one)).waiting_since == NOON
    await counter.hear(message(one, NOON, seq=3, direction="outbound", author_kind="agent"))
    assert (await counter.case(one)).waiting_since is None
