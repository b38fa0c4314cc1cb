"""What comes in from the channels takes its place in the history: decided one by one, read and written in sets."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from services.conversation import store
from services.conversation.domain import USER_ID, Holder, Place, Priority, Status, place, recognise, wakes
from services.conversation.handlers.telling import message_added, of
from services.conversation.models import Reaction
from services.conversation.store import (
    Acquaintance,
    AddressKey,
    Change,
    MessageKey,
    NewAddress,
    NewContact,
    NewMessage,
    Thread,
    ThreadKey,
)
from shared.db import Job, UnitOfWork
from shared.events.conversation import (
    ContactAdded,
    ContactAddressesAdded,
    ConversationChanged,
    ConversationOpened,
    ConversationReopened,
)
from shared.events.ingest import (
    Address,
    AddressChanged,
    Content,
    FromChannel,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReactionChanged,
)
from shared.phone_numbers import candidates

ECHO_WAITS: Final = timedelta(seconds=30)
"""How long an echo is held at most: longer than a provider takes to answer to what is sent through it."""

IN_FLIGHT: Final = timedelta(hours=1)
"""How old a message may be that is looked for among those on their way."""


class AppendEcho(Job):
    """An echo has waited long enough."""

    type = "conversation.append-echo"

    event_id: UUID


async def append_messages(events: Sequence[MessageReceived], uow: UnitOfWork) -> None:
    """Give each message its contact, its conversation and its number.

    A provider may echo what was sent from here before it has told its id of it. So an echo is held while a message of
    ours to the same person is on its way: when that has its id, the echo is known by it and nothing is shown twice.
    """
    await _append(events, uow, holds=True)


async def append_held_echo(job: AppendEcho, uow: UnitOfWork) -> None:
    """Append an echo that was held, unless it has become clear which message it is of."""
    echo = await store.take_echo(job.tenant_id, job.event_id, uow.session)
    if echo is not None:
        await _append([echo], uow, holds=False)


async def _append(events: Sequence[MessageReceived], uow: UnitOfWork, *, holds: bool) -> None:
    first: dict[MessageKey, MessageReceived] = {}
    for event in events:
        first.setdefault(_message_key(event, event.provider_message_id), event)
    known = await _acquaintance(first, uow)
    events = [event for key, event in first.items() if key not in known.messages]
    if not events:
        return
    contacts = await _recognise_senders(events, known.holders, uow)
    if holds and not (events := await _hold_echoes(events, contacts, uow)):
        return
    arrivals = _Arrivals(known.threads, uow)
    for event in events:
        arrivals.add(event, _thread_key(event, contacts))
    await arrivals.write()
    # What is held elsewhere may be changed meanwhile; what has just come, by nothing that came later.
    if known.parked or not holds:
        await store.apply_parked(arrivals.messages, uow.session)


class _Arrivals:
    """The messages of one batch on their way into their conversations."""

    def __init__(self, threads: dict[ThreadKey, Thread], uow: UnitOfWork) -> None:
        self._threads = threads
        self._uow = uow
        self._new: dict[UUID, Thread] = {}
        self._changed: dict[UUID, Thread] = {}
        self.messages: list[NewMessage] = []

    def add(self, event: MessageReceived, key: ThreadKey) -> None:
        thread = self._thread_for(event, key)
        thread.last_seq += 1
        thread.last_message_at = max(thread.last_message_at or event.sent_at, event.sent_at)
        if event.direction == "inbound" or thread.id in self._new:
            thread.answer_to = _plain(event.sender)
        if thread.id not in self._new:
            self._changed[thread.id] = thread
        message = NewMessage(
            id=self._uow.new_id(),
            tenant_id=event.tenant_id,
            conversation_id=thread.id,
            channel_id=event.channel_id,
            seq=thread.last_seq,
            direction=event.direction,
            content_type=event.content.type,
            text=event.content.text,
            content=_shown(event.content),
            provider_message_id=event.provider_message_id,
            reply_to=event.reply_to,
            sent_at=event.sent_at,
        )
        self.messages.append(message)
        author = "contact" if event.direction == "inbound" else None
        self._uow.emit(message_added(message, thread, author_kind=author), caused_by=event)

    def _thread_for(self, event: MessageReceived, key: ThreadKey) -> Thread:
        thread = self._threads.get(key)
        where = place(
            thread.status if thread else None,
            thread.resolved_at if thread else None,
            direction=event.direction,
            now=self._uow.now,
        )
        if thread is None or where is Place.BEGINS:
            return self._begin(event, key)
        if where is Place.REOPENS:
            thread.status, thread.resolved_at = Status.OPEN, None
            told = of(thread) | {"reopened_at": self._uow.now, "labels": thread.labels}
            self._uow.emit(ConversationReopened(**told), caused_by=event)
        elif wakes(event.direction, thread.status):
            thread.status = Status.OPEN
            told = of(thread) | {"priority": thread.priority, "labels": thread.labels, "changed_at": self._uow.now}
            self._uow.emit(ConversationChanged(**told, status=thread.status), caused_by=event)
        return thread

    def _begin(self, event: MessageReceived, key: ThreadKey) -> Thread:
        thread = Thread(
            id=self._uow.new_id(),
            tenant_id=key.tenant_id,
            contact_id=key.contact_id,
            channel_id=key.channel_id,
            channel_kind=event.channel_kind,
            status=Status.OPEN,
            priority=Priority.NORMAL,
            labels=[],
            last_seq=0,
            last_message_at=None,
            resolved_at=None,
        )
        self._threads[key] = self._new[thread.id] = thread
        self._uow.emit(ConversationOpened(**of(thread), opened_at=self._uow.now), caused_by=event)
        return thread

    async def write(self) -> None:
        session, now = self._uow.session, self._uow.now
        if self._new:
            await store.add_conversations(list(self._new.values()), now, session)
        if self._changed:
            changed = sorted(self._changed.values(), key=lambda thread: thread.id)
            await store.change_conversations(changed, session)
        await store.add_messages(self.messages, now, session)


async def edit_messages(events: Sequence[MessageEdited], uow: UnitOfWork) -> None:
    """Let each message read as its sender last wanted it."""
    latest: dict[MessageKey, Change] = {}
    for event in events:
        change = Change(
            event.tenant_id,
            event.channel_id,
            event.provider_message_id,
            event.sender_ref,
            edited_at=event.sent_at,
            content_type=event.content.type,
            text=event.content.text,
            content=_shown(event.content) or None,
        )
        key = _message_key(event, event.provider_message_id)
        before = latest.get(key)
        if before is None or (before.edited_at or event.sent_at) <= event.sent_at:
            latest[key] = change
    await store.change_messages(list(latest.values()), uow.session)


async def revoke_messages(events: Sequence[MessageRevoked], uow: UnitOfWork) -> None:
    """Take out what their senders took back; that there was a message remains to be seen."""
    changes = {
        _message_key(event, event.provider_message_id): Change(
            event.tenant_id, event.channel_id, event.provider_message_id, event.sender_ref, revoked_at=event.sent_at
        )
        for event in events
    }
    await store.change_messages(list(changes.values()), uow.session)


async def keep_reactions(events: Sequence[ReactionChanged], uow: UnitOfWork) -> None:
    """Set and take back reactions, whether their message is here yet or not."""
    await store.react(
        [
            Reaction(
                tenant_id=event.tenant_id,
                channel_id=event.channel_id,
                provider_message_id=event.provider_message_id,
                sender_ref=event.sender_ref,
                emoji=event.emoji,
                reacted_at=event.sent_at,
            )
            for event in events
        ],
        uow.session,
    )


async def learn_addresses(events: Sequence[AddressChanged], uow: UnitOfWork) -> None:
    """Know a contact by his new addresses too, unless they are somebody else's: numbers are handed on to strangers."""
    spelt = _spelt(events, [[*event.sender, *event.new_addresses] for event in events])
    await store.hold_addresses(spelt, uow.session)
    known = await store.known_addresses(spelt, uow.session)
    reached: dict[ThreadKey, list[dict[str, str]]] = {}
    for event in events:
        contact_id = recognise(event.sender, _lookup(event, known))
        new = _unheld(event, event.new_addresses, known)
        if contact_id is not None and new:
            _hold(known, new, contact_id, event.new_addresses)
            await store.add_addresses([_new_address(key, contact_id, uow) for key in new], uow.now, uow.session)
            uow.emit(ContactAddressesAdded(**_reached_by(new, contact_id, event)), caused_by=event)
            reached[ThreadKey(event.tenant_id, contact_id, event.channel_id)] = _plain(event.new_addresses)
    if reached:
        await store.answer_to(reached, uow.session)


async def _acquaintance(events: Mapping[MessageKey, MessageReceived], uow: UnitOfWork) -> Acquaintance:
    """What is known of these messages and of who wrote them."""
    spelt = _spelt_senders(events.values())
    known = await store.acquaintance(events, spelt, uow.session)
    new = (event for key, event in events.items() if key not in known.messages)
    # An address that is held stays so: only where one is not, others must not add it meanwhile.
    if strangers := [event for event in new if _unheld(event, event.sender, known.holders)]:
        await store.hold_addresses(_spelt_senders(strangers), uow.session)
        known = await store.acquaintance(events, spelt, uow.session)
    return known


async def _hold_echoes(
    events: Sequence[MessageReceived], contacts: dict[tuple[UUID, str], UUID], uow: UnitOfWork
) -> list[MessageReceived]:
    """Put off the echoes that may be of messages on their way; those events that need not wait."""
    keys = {_thread_key(event, contacts) for event in events if event.direction == "outbound"}
    if not keys:
        return list(events)
    awaited = await store.in_flight(keys, uow.session, since=uow.now - IN_FLIGHT)

    def waits(event: MessageReceived) -> bool:
        return event.direction == "outbound" and _thread_key(event, contacts) in awaited

    held = [event for event in events if waits(event)]
    store.hold_echoes(held, uow.session)
    for echo in held:
        job = AppendEcho(tenant_id=echo.tenant_id, event_id=echo.envelope.id)
        uow.schedule(job, key=f"echo:{echo.sender_ref}", due_at=uow.now + ECHO_WAITS)
    return [event for event in events if not waits(event)]


async def _recognise_senders(
    events: Sequence[MessageReceived], known: dict[AddressKey, Holder], uow: UnitOfWork
) -> dict[tuple[UUID, str], UUID]:
    """Each sender's contact, by tenant and sender_ref; who was not known becomes known."""
    contacts: dict[tuple[UUID, str], UUID] = {}
    people: list[NewContact] = []
    addresses: list[NewAddress] = []
    for event in events:
        contact_id = recognise(event.sender, _lookup(event, known))
        new = _unheld(event, event.sender, known)
        if contact_id is None:
            contact_id = uow.new_id()
            people.append(NewContact(contact_id, event.tenant_id, event.sender_name or event.username))
            uow.emit(ContactAdded(**_reached_by(new, contact_id, event)), caused_by=event)
        elif new:
            uow.emit(ContactAddressesAdded(**_reached_by(new, contact_id, event)), caused_by=event)
        _hold(known, new, contact_id, event.sender)
        addresses += [_new_address(key, contact_id, uow) for key in new]
        contacts[event.tenant_id, event.sender_ref] = contact_id
    if people:
        await store.add_contacts(people, uow.now, uow.session)
    if addresses:
        await store.add_addresses(addresses, uow.now, uow.session)
    return contacts


def _spelt_senders(events: Collection[MessageReceived]) -> set[AddressKey]:
    return _spelt([*events], [event.sender for event in events])


def _spelt(events: Sequence[FromChannel], addresses: Sequence[Sequence[Address]]) -> set[AddressKey]:
    """These addresses of each event, in all their spellings."""
    return {
        AddressKey(event.tenant_id, event.channel_id, address.kind, spelling)
        for event, those in zip(events, addresses, strict=True)
        for address in those
        for spelling in candidates(address.kind, address.value)
    }


def _unheld(event: FromChannel, addresses: Sequence[Address], known: dict[AddressKey, Holder]) -> list[AddressKey]:
    """Those of these addresses that are nobody's yet, each once."""
    keys = dict.fromkeys(_address_key(event, address) for address in addresses)
    return [key for key in keys if key not in known]


def _reached_by(keys: Sequence[AddressKey], contact_id: UUID, event: FromChannel) -> dict[str, Any]:
    """What is told of a contact who is reached by these addresses from now on."""
    return {
        "tenant_id": event.tenant_id,
        "contact_id": contact_id,
        "channel_id": event.channel_id,
        "channel_kind": event.channel_kind,
        "addresses": [Address(kind=key.kind, value=key.value) for key in keys],
    }


def _hold(
    known: dict[AddressKey, Holder], keys: Sequence[AddressKey], contact_id: UUID, addresses: Sequence[Address]
) -> None:
    has_user_id = any(address.kind == USER_ID for address in addresses)
    known.update(dict.fromkeys(keys, Holder(contact_id, has_user_id)))


def _lookup(event: FromChannel, known: dict[AddressKey, Holder]) -> Callable[[str, str], Holder | None]:
    return lambda kind, value: known.get(AddressKey(event.tenant_id, event.channel_id, kind, value))


def _thread_key(event: MessageReceived, contacts: dict[tuple[UUID, str], UUID]) -> ThreadKey:
    return ThreadKey(event.tenant_id, contacts[event.tenant_id, event.sender_ref], event.channel_id)


def _message_key(event: FromChannel, provider_message_id: str) -> MessageKey:
    return MessageKey(event.tenant_id, event.channel_id, provider_message_id)


def _address_key(event: FromChannel, address: Address) -> AddressKey:
    return AddressKey(event.tenant_id, event.channel_id, address.kind, address.value)


def _new_address(key: AddressKey, contact_id: UUID, uow: UnitOfWork) -> NewAddress:
    return NewAddress(uow.new_id(), key.tenant_id, contact_id, key.channel_id, key.kind, key.value)


def _shown(content: Content) -> dict[str, Any]:
    return content.model_dump(mode="json", exclude_none=True, exclude_defaults=True, exclude={"text", "type"})


def _plain(addresses: Sequence[Address]) -> list[dict[str, str]]:
    return [{"kind": address.kind, "value": address.value} for address in addresses]
