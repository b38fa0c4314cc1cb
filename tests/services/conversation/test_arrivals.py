"""What arrives takes its place in the history: one contact, one conversation, its number and its time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.conversation import handlers
from services.conversation.domain import Holder, Place, Status, place, recognise
from services.conversation.models import Contact, ContactAddress, Conversation, Message, Reaction
from shared.db import Database
from shared.events import Envelope, Event
from shared.events.conversation import (
    ContactAdded,
    ContactAddressesAdded,
    ConversationChanged,
    ConversationOpened,
    ConversationReopened,
    MessageAdded,
)
from shared.events.ingest import (
    Address,
    AddressChanged,
    Attachment,
    Content,
    FromChannel,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReactionChanged,
)
from shared.ids import new_id
from tests.support.events import NOON, message_received
from tests.support.machine import Machine
from tests.support.outbox import said

HANDLERS: dict[type[Event], Any] = {
    MessageReceived: handlers.append_messages,
    MessageEdited: handlers.edit_messages,
    MessageRevoked: handlers.revoke_messages,
    ReactionChanged: handlers.keep_reactions,
    AddressChanged: handlers.learn_addresses,
}
PHONE, OLD_PHONE = Address(kind="wa_phone", value="5582999448232"), Address(kind="wa_phone", value="558299448232")
OTHER_PHONE = Address(kind="wa_phone", value="5582999448299")
BSUID = Address(kind="wa_bsuid", value="BR.1a2b")


class History:
    """A tenant's history, as the events make it."""

    def __init__(self, database: Database, tenant_id: UUID) -> None:
        self.database = database
        self.tenant_id = tenant_id

    async def hear(self, *events: FromChannel, later: timedelta = timedelta()) -> None:
        """The events as one batch of one type."""
        for event in events:
            event.in_envelope(Envelope(id=new_id(), occurred_at=NOON))
        async with self.database.unit_of_work([self.tenant_id], now=NOON + later) as uow:
            await HANDLERS[type(events[0])](events, uow)

    async def rows(self, table: type[Any]) -> Sequence[Any]:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            return (await uow.session.scalars(select(table).where(table.tenant_id == self.tenant_id))).all()

    async def texts(self) -> list[str | None]:
        messages: list[Message] = sorted(await self.rows(Message), key=lambda message: (message.sent_at, message.seq))
        return [message.text for message in messages]

    async def change(self, command: handlers.ChangeConversation) -> None:
        async with self.database.unit_of_work([self.tenant_id], now=NOON) as uow:
            (conversation,) = (await uow.session.scalars(select(Conversation))).all()
            await handlers.change_conversation(conversation, command, uow)

    async def resolve(self) -> None:
        await self.change(handlers.ChangeConversation(Status.RESOLVED))


async def addresses_told(history: History) -> list[Any]:
    """Each time that somebody was told to be reached by addresses, with them."""
    return [
        (type(event), event.channel_id, event.channel_kind, event.addresses)
        for event in await said(history.database, history.tenant_id)
        if isinstance(event, ContactAdded | ContactAddressesAdded)
    ]


@pytest_asyncio.fixture(loop_scope="session")
async def history(machine: Machine, tenant_id: UUID) -> AsyncIterator[History]:
    database = machine.database("conversation")
    yield History(database, tenant_id)
    await database.close()


async def test_a_first_message_makes_a_contact_and_opens_a_conversation(history: History, tenant_id: UUID) -> None:
    await history.hear(message_received(tenant_id))
    (contact,), (conversation,), (message,) = [await history.rows(table) for table in (Contact, Conversation, Message)]
    assert (contact.name, conversation.contact_id, message.conversation_id) == (
        "Sender 5511987654321",
        contact.id,
        conversation.id,
    )
    assert (conversation.status, conversation.last_seq, message.seq) == ("open", 1, 1)
    told = await said(history.database, tenant_id)
    assert [type(event) for event in told] == [ContactAdded, ConversationOpened, MessageAdded]


async def test_a_new_contact_is_told_with_the_addresses_that_reach_him(history: History, tenant_id: UUID) -> None:
    message = message_received(tenant_id, sender=[BSUID, PHONE])
    await history.hear(message)
    assert await addresses_told(history) == [(ContactAdded, message.channel_id, "whatsapp", [BSUID, PHONE])]


async def test_further_addresses_of_a_known_contact_are_told_once(history: History, tenant_id: UUID) -> None:
    known, alias = message_received(tenant_id, sender=[PHONE]), message_received(tenant_id, number=1)
    alias = alias.model_copy(update={"sender": [BSUID, PHONE]})
    changed = AddressChanged(
        **{name: getattr(known, name) for name in FromChannel.model_fields}, new_addresses=[OTHER_PHONE, PHONE]
    )
    await history.hear(known, alias, message_received(tenant_id, number=2, sender=[PHONE, BSUID]))
    await history.hear(changed, changed)
    told = await addresses_told(history)
    assert [kind for kind, *_ in told] == [ContactAdded, ContactAddressesAdded, ContactAddressesAdded]
    assert [addresses for *_, addresses in told] == [[PHONE], [BSUID], [OTHER_PHONE]]
    assert len(await history.rows(ContactAddress)) == 3


async def test_an_address_that_is_somebody_elses_is_not_told_as_his(history: History, tenant_id: UUID) -> None:
    stranger = Address(kind="wa_bsuid", value="BR.other")
    await history.hear(message_received(tenant_id, number=0, sender=[BSUID, PHONE], sender_ref="one"))
    await history.hear(message_received(tenant_id, number=1, sender=[stranger, PHONE], sender_ref="other"))
    assert [addresses for *_, addresses in await addresses_told(history)] == [[BSUID, PHONE], [stranger]]


async def test_a_batch_of_many_senders_is_told_apart(history: History, tenant_id: UUID) -> None:
    batch = [message_received(tenant_id, sender, number) for number in range(3) for sender in ("a", "b", "c")]
    await history.hear(*batch)
    assert [len(await history.rows(table)) for table in (Contact, Conversation, Message)] == [3, 3, 9]
    by_conversation: dict[UUID, list[int]] = {}
    for message in await history.rows(Message):
        by_conversation.setdefault(message.conversation_id, []).append(message.seq)
    assert [sorted(seqs) for seqs in by_conversation.values()] == [[1, 2, 3]] * 3


async def test_a_late_message_stands_in_its_right_place(history: History, tenant_id: UUID) -> None:
    for number in (2, 0, 1):
        await history.hear(message_received(tenant_id, number=number))
    assert await history.texts() == ["text 0", "text 1", "text 2"]
    assert sorted((message.text, message.seq) for message in await history.rows(Message)) == [
        ("text 0", 2),
        ("text 1", 3),
        ("text 2", 1),
    ]


async def test_a_message_that_is_there_is_not_appended_again(history: History, tenant_id: UUID) -> None:
    await history.hear(message_received(tenant_id), message_received(tenant_id))
    await history.hear(message_received(tenant_id), message_received(tenant_id, number=1))
    assert await history.texts() == ["text 0", "text 1"]
    (conversation,) = await history.rows(Conversation)
    assert conversation.last_seq == 2


async def test_concurrent_batches_of_one_sender_share_contact_and_conversation(
    history: History, tenant_id: UUID
) -> None:
    batches = [[message_received(tenant_id, number=2 * batch + part) for part in (0, 1)] for batch in range(4)]
    await asyncio.gather(*(history.hear(*batch) for batch in batches))
    assert [len(await history.rows(table)) for table in (Contact, Conversation)] == [1, 1]
    assert sorted(message.seq for message in await history.rows(Message)) == list(range(1, 9))


async def test_concurrent_batches_of_one_person_under_two_addresses_make_one_contact(
    history: History, tenant_id: UUID
) -> None:
    both = message_received(tenant_id, number=0, sender=[BSUID, PHONE], sender_ref="ref-bsuid")
    phone = message_received(tenant_id, number=1, sender=[PHONE], sender_ref="ref-phone")
    await asyncio.gather(history.hear(both), history.hear(phone))
    assert len(await history.rows(Contact)) == 1
    assert {row.value for row in await history.rows(ContactAddress)} == {BSUID.value, PHONE.value}


async def test_the_ninth_digit_does_not_make_another_person(history: History, tenant_id: UUID) -> None:
    await history.hear(message_received(tenant_id, number=0, sender=[OLD_PHONE], sender_ref="old"))
    await history.hear(message_received(tenant_id, number=1, sender=[PHONE], sender_ref="new"))
    assert len(await history.rows(Contact)) == 1
    assert {row.value for row in await history.rows(ContactAddress)} == {OLD_PHONE.value, PHONE.value}


async def test_where_spellings_lead_to_two_persons_nobody_is_merged(history: History, tenant_id: UUID) -> None:
    mexican = [Address(kind="wa_phone", value="5215512345678"), Address(kind="wa_phone", value="525512345678")]
    brazilian = [OLD_PHONE, PHONE]
    known = {(one.kind, one.value): Holder(new_id(), has_user_id=False) for one in (mexican[0], brazilian[0])}
    assert recognise([mexican[1]], lambda *key: known.get(key)) == known["wa_phone", mexican[0].value].contact_id
    assert recognise([mexican[1], brazilian[1]], lambda *key: known.get(key)) is None


async def test_a_number_that_was_handed_on_does_not_bring_its_history(history: History, tenant_id: UUID) -> None:
    stranger = Address(kind="wa_bsuid", value="BR.other")
    await history.hear(message_received(tenant_id, number=0, sender=[BSUID, PHONE], sender_ref="one"))
    await history.hear(message_received(tenant_id, number=1, sender=[stranger, PHONE], sender_ref="other"))
    assert len(await history.rows(Contact)) == 2
    await history.hear(message_received(tenant_id, number=2, sender=[stranger], sender_ref="other"))
    assert sorted(conversation.last_seq for conversation in await history.rows(Conversation)) == [1, 2]


async def test_two_spellings_at_once_make_one_contact(history: History, tenant_id: UUID) -> None:
    old = message_received(tenant_id, number=0, sender=[OLD_PHONE], sender_ref="old")
    new = message_received(tenant_id, number=1, sender=[PHONE], sender_ref="new")
    await asyncio.gather(history.hear(old), history.hear(new))
    assert len(await history.rows(Contact)) == 1


async def test_an_edited_caption_keeps_its_picture(history: History, tenant_id: UUID) -> None:
    picture = Content(type="media", text="before", attachments=[Attachment(kind="image", media_id="1")])
    message = message_received(tenant_id, content=picture)
    about = {name: getattr(message, name) for name in FromChannel.model_fields}
    caption = Content(type="media", text="after")
    await history.hear(message)
    await history.hear(MessageEdited(**about, provider_message_id=message.provider_message_id, content=caption))
    (row,) = await history.rows(Message)
    assert (row.text, [one["media_id"] for one in row.content["attachments"]]) == ("after", ["1"])


async def test_of_two_reactions_in_one_second_the_last_to_come_holds(history: History, tenant_id: UUID) -> None:
    message = message_received(tenant_id)
    about = {name: getattr(message, name) for name in FromChannel.model_fields} | {"provider_message_id": "m"}
    await history.hear(*(ReactionChanged(**about, emoji=emoji) for emoji in ("👍", "❤", None)))
    (reaction,) = await history.rows(Reaction)
    assert reaction.emoji is None


async def test_a_message_that_ends_a_snooze_tells_of_it(history: History, tenant_id: UUID) -> None:
    await history.hear(message_received(tenant_id))
    await history.change(handlers.ChangeConversation(Status.PENDING))
    await history.hear(message_received(tenant_id, number=1))
    told = [event for event in await said(history.database, tenant_id) if isinstance(event, ConversationChanged)]
    assert [event.status for event in told] == ["pending", "open"]


async def test_a_new_address_is_learned_and_never_taken_from_somebody_else(history: History, tenant_id: UUID) -> None:
    await history.hear(message_received(tenant_id, "1", 0), message_received(tenant_id, "2", 0))
    event = message_received(tenant_id, "1")
    about = {name: getattr(event, name) for name in FromChannel.model_fields}
    new, taken = Address(kind="wa_phone", value="3"), Address(kind="wa_phone", value="2")
    await history.hear(AddressChanged(**about, new_addresses=[new, taken]))
    await history.hear(message_received(tenant_id, "3", 1), message_received(tenant_id, "2", 1))
    assert sorted(conversation.last_seq for conversation in await history.rows(Conversation)) == [2, 2]


async def test_a_resolved_conversation_goes_on_within_a_day(history: History, tenant_id: UUID) -> None:
    await history.hear(message_received(tenant_id))
    await history.resolve()
    await history.hear(message_received(tenant_id, number=1), later=timedelta(hours=23))
    (conversation,) = await history.rows(Conversation)
    assert (conversation.status, conversation.resolved_at, conversation.last_seq) == ("open", None, 2)
    (told,) = [event for event in await said(history.database, tenant_id) if isinstance(event, ConversationReopened)]
    assert told.labels == []


async def test_after_a_day_a_new_conversation_begins(history: History, tenant_id: UUID) -> None:
    await history.hear(message_received(tenant_id))
    await history.resolve()
    await history.hear(message_received(tenant_id, number=1), later=timedelta(hours=25))
    assert sorted(conversation.status for conversation in await history.rows(Conversation)) == ["open", "resolved"]
    assert len(await history.rows(Contact)) == 1


async def test_what_the_tenant_sent_elsewhere_does_not_reopen(history: History, tenant_id: UUID) -> None:
    await history.hear(message_received(tenant_id))
    await history.resolve()
    await history.hear(message_received(tenant_id, number=1, direction="outbound"), later=timedelta(hours=1))
    (conversation,) = await history.rows(Conversation)
    assert (conversation.status, conversation.last_seq) == ("resolved", 2)


@pytest.mark.parametrize(
    ("status", "direction", "hours", "where"),
    [
        (None, "inbound", 0, Place.BEGINS),
        ("open", "inbound", 0, Place.GOES_ON),
        ("snoozed", "outbound", 0, Place.GOES_ON),
        ("resolved", "inbound", 1, Place.REOPENS),
        ("resolved", "outbound", 1, Place.GOES_ON),
        ("resolved", "inbound", 25, Place.BEGINS),
        ("resolved", "outbound", 25, Place.BEGINS),
    ],
)
def test_where_a_message_belongs(status: str | None, direction: str, hours: int, where: Place) -> None:
    now = NOON + timedelta(hours=hours)
    assert place(status, NOON if status == "resolved" else None, direction=direction, now=now) is where


def _story(tenant_id: UUID) -> list[FromChannel]:
    message = message_received(tenant_id)
    about = {name: getattr(message, name) for name in FromChannel.model_fields} | {"provider_message_id": "m"}
    clock = count(1)

    def at(**fields: Any) -> dict[str, Any]:
        return about | {"sent_at": NOON + timedelta(seconds=next(clock))} | fields

    return [
        message_received(tenant_id, provider_message_id="m"),
        MessageEdited(**at(), content=Content(type="text", text="once")),
        MessageEdited(**at(), content=Content(type="text", text="twice")),
        ReactionChanged(**at(), emoji="👍"),
        ReactionChanged(**at(), emoji=None),
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(5)))
async def test_in_whatever_order_changes_come_the_message_reads_the_same(machine: Machine, order: list[int]) -> None:
    tenant_id = new_id()
    database = machine.database("conversation")
    history = History(database, tenant_id)
    story = _story(tenant_id)
    for place_ in order:
        await history.hear(story[place_])
    (message,), (reaction,) = await history.rows(Message), await history.rows(Reaction)
    assert (message.text, message.edited_at, reaction.emoji) == ("twice", NOON + timedelta(seconds=2), None)
    await database.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_revoked_message_stays_to_be_seen_without_its_words(
    history: History, tenant_id: UUID, order: tuple[int, int]
) -> None:
    message = message_received(tenant_id)
    about = {name: getattr(message, name) for name in FromChannel.model_fields}
    revoked = MessageRevoked(**about, provider_message_id=message.provider_message_id)
    for number in order:
        await history.hear([message, revoked][number])
    (row,) = await history.rows(Message)
    assert (row.content_type, row.text, row.content, row.revoked_at) == ("revoked", None, {}, NOON)


async def test_two_edits_in_one_batch_leave_the_later(history: History, tenant_id: UUID) -> None:
    message, once, twice, *_ = _story(tenant_id)
    await history.hear(message)
    await history.hear(twice, once)
    assert await history.texts() == ["twice"]
