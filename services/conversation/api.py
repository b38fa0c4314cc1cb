"""The history by API: conversations, their messages and notes, and contacts."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from services.conversation import handlers, store
from services.conversation.domain import Status
from services.conversation.handlers import Answer, ChangeConversation
from services.conversation.models import Contact, ContactAddress, Conversation, Message, Note
from services.conversation.schemas import (
    AddressShown,
    AuthorShown,
    ContactChange,
    ContactShown,
    ConversationChange,
    ConversationShown,
    MessageShown,
    NewContact,
    NewMessage,
    NewNote,
    NoteShown,
)
from services.conversation.store import ConversationFilter, ListedMessage
from shared.db import UnitOfWork
from shared.http import (
    Caller,
    Moment,
    NotFound,
    Page,
    Pages,
    TransactionRoute,
    Words,
    Work,
    check_version,
    requires,
    tell_version,
)

ReadConversations = Annotated[Caller, Depends(requires("conversations:read"))]
WriteConversations = Annotated[Caller, Depends(requires("conversations:write"))]
ReadContacts = Annotated[Caller, Depends(requires("contacts:read"))]
WriteContacts = Annotated[Caller, Depends(requires("contacts:write"))]

SINCE = """Those changed since then, in the order of their change. Ask from some seconds before the last answer's newest
change: what was being written meanwhile may carry an earlier time."""

conversations = APIRouter(prefix="/conversations", route_class=TransactionRoute, tags=["Conversations"])


@conversations.get("", summary="List conversations")
async def list_conversations(
    caller: ReadConversations,
    paging: Pages,
    uow: Work,
    status: Status | None = None,
    channel_id: UUID | None = None,
    contact_id: UUID | None = None,
    queue_id: UUID | None = None,
    assignee_id: UUID | None = None,
    label: Annotated[Words | None, Query(max_length=50)] = None,
    updated_since: Annotated[Moment | None, Query(description=SINCE)] = None,
) -> Page[ConversationShown]:
    """The newest conversation first; with `updated_since` those that changed, in the order of their change."""
    wanted = ConversationFilter(status, channel_id, contact_id, queue_id, assignee_id, label, updated_since)
    by_change = updated_since is not None
    after = paging.after(datetime, UUID) if by_change else paging.after(UUID)
    rows = await store.list_conversations(caller.tenant_id, uow.session, wanted=wanted, after=after, limit=paging.more)
    return paging.page(rows, _show_conversation, lambda row: (row.updated_at, row.id) if by_change else (row.id,))


@conversations.get("/{conversation_id}", summary="Read a conversation")
async def read_conversation(
    conversation_id: UUID, caller: ReadConversations, uow: Work, response: Response
) -> ConversationShown:
    conversation = await _conversation(caller, conversation_id, uow)
    tell_version(response, conversation.version)
    return _show_conversation(conversation)


@conversations.patch("/{conversation_id}", summary="Change a conversation")
async def change_conversation(
    conversation_id: UUID,
    body: ConversationChange,
    caller: WriteConversations,
    uow: Work,
    request: Request,
    response: Response,
) -> ConversationShown:
    """Resolve it, open it again, snooze it, label it. 409 when its state does not allow the change."""
    conversation = await _conversation(caller, conversation_id, uow, for_update=True)
    check_version(request, conversation.version)
    fields = body.model_dump(exclude_unset=True, exclude={"status", "snoozed_until"})
    command = ChangeConversation(body.status, body.snoozed_until, fields)
    await handlers.change_conversation(conversation, command, uow)
    tell_version(response, conversation.version)
    return _show_conversation(conversation)


@conversations.get("/{conversation_id}/messages", summary="List a conversation's messages")
async def list_messages(
    conversation_id: UUID, caller: ReadConversations, paging: Pages, uow: Work
) -> Page[MessageShown]:
    """By (`sent_at`, `seq`): a message that came late stands in its right place."""
    rows = await store.list_messages(
        caller.tenant_id, conversation_id, uow.session, after=paging.after(datetime, int), limit=paging.more
    )
    if rows is None:
        raise NotFound
    return paging.page(rows, lambda row: _show_message(row, row.reactions), lambda row: (row.sent_at, row.seq))


@conversations.post("/{conversation_id}/messages", status_code=201, summary="Answer a conversation")
async def add_message(conversation_id: UUID, body: NewMessage, caller: WriteConversations, uow: Work) -> MessageShown:
    """Queue a message to the contact; `status` tells from then on what becomes of it.

    409 for a resolved conversation, and for a contact without an address on its channel.
    """
    conversation = await _conversation(caller, conversation_id, uow, for_update=True)
    answer = Answer(body.text, body.reply_to)
    return _show_message(await handlers.answer_conversation(conversation, caller.id, answer, uow), [])


@conversations.post(
    "/{conversation_id}/messages/{message_id}/attempts", status_code=201, summary="Send a message again"
)
async def add_attempt(conversation_id: UUID, message_id: UUID, caller: WriteConversations, uow: Work) -> MessageShown:
    """Send again what failed, or of what nothing is known: in the latter case the customer may get it twice.

    409 for every other message, and in a resolved conversation.
    """
    conversation = await _conversation(caller, conversation_id, uow)
    message = await store.message(caller.tenant_id, conversation.id, message_id, uow.session, for_update=True)
    if message is None:
        raise NotFound
    await handlers.send_again(conversation, message, uow)
    return _show_message(message, await store.reactions_to(message, uow.session))


@conversations.get("/{conversation_id}/notes", summary="List a conversation's notes")
async def list_notes(conversation_id: UUID, caller: ReadConversations, paging: Pages, uow: Work) -> Page[NoteShown]:
    """What the staff noted, oldest first."""
    rows = await store.list_notes(
        caller.tenant_id, conversation_id, uow.session, after=paging.after_id(), limit=paging.more
    )
    if not rows:
        await _conversation(caller, conversation_id, uow)
    return paging.page(rows, _show_note, lambda row: (row.id,))


@conversations.post("/{conversation_id}/notes", status_code=201, summary="Add a note")
async def add_note(conversation_id: UUID, body: NewNote, caller: WriteConversations, uow: Work) -> NoteShown:
    """Only the staff sees notes."""
    conversation = await _conversation(caller, conversation_id, uow)
    return _show_note(await handlers.add_note(conversation, caller.id, body.text, uow))


contacts = APIRouter(prefix="/contacts", route_class=TransactionRoute, tags=["Contacts"])


@contacts.get("", summary="List contacts")
async def list_contacts(caller: ReadContacts, paging: Pages, uow: Work) -> Page[ContactShown]:
    """The newest contact first."""
    rows = await store.list_contacts(caller.tenant_id, uow.session, after=paging.after_id(), limit=paging.more)
    addresses = await store.addresses_of(caller.tenant_id, [row.id for row in rows], uow.session)
    return paging.page(rows, lambda row: _show_contact(row, addresses[row.id]), lambda row: (row.id,))


@contacts.post("", status_code=201, summary="Add a contact")
async def add_contact(body: NewContact, caller: WriteContacts, uow: Work, response: Response) -> ContactShown:
    contact = await handlers.add_contact(caller.tenant_id, body.name, body.attributes, uow)
    tell_version(response, contact.version)
    return _show_contact(contact, [])


@contacts.get("/{contact_id}", summary="Read a contact")
async def read_contact(contact_id: UUID, caller: ReadContacts, uow: Work, response: Response) -> ContactShown:
    contact = await _contact(caller, contact_id, uow)
    tell_version(response, contact.version)
    return _show_contact(contact, (await store.addresses_of(caller.tenant_id, [contact.id], uow.session))[contact.id])


@contacts.patch("/{contact_id}", summary="Change a contact")
async def change_contact(
    contact_id: UUID, body: ContactChange, caller: WriteContacts, uow: Work, request: Request, response: Response
) -> ContactShown:
    contact = await _contact(caller, contact_id, uow, for_update=True)
    check_version(request, contact.version)
    await handlers.change_contact(contact, body.model_dump(exclude_unset=True), uow)
    tell_version(response, contact.version)
    return _show_contact(contact, (await store.addresses_of(caller.tenant_id, [contact.id], uow.session))[contact.id])


async def _conversation(
    caller: Caller, conversation_id: UUID, uow: UnitOfWork, *, for_update: bool = False
) -> Conversation:
    conversation = await store.conversation(caller.tenant_id, conversation_id, uow.session, for_update=for_update)
    if conversation is None:
        raise NotFound
    return conversation


async def _contact(caller: Caller, contact_id: UUID, uow: UnitOfWork, *, for_update: bool = False) -> Contact:
    contact = await store.contact(caller.tenant_id, contact_id, uow.session, for_update=for_update)
    if contact is None:
        raise NotFound
    return contact


def _show_conversation(row: Conversation) -> ConversationShown:
    fields: dict[str, Any] = {name: getattr(row, name, None) for name in ConversationShown.model_fields}
    return ConversationShown(**fields | {"message_count": row.last_seq})


def _show_message(row: Message | ListedMessage, reactions: list[str]) -> MessageShown:
    fields: dict[str, Any] = {name: getattr(row, name, None) for name in MessageShown.model_fields}
    beside = {"type": row.content_type, "reactions": reactions, "author": _author(row)}
    return MessageShown(**fields | beside)


def _author(row: Message | ListedMessage) -> AuthorShown | None:
    """An inbound message is the contact's without being said so."""
    kind = "contact" if row.direction == "inbound" else row.author_kind
    return AuthorShown(kind=kind, id=row.author_id) if kind is not None else None


def _show_note(row: Note) -> NoteShown:
    return NoteShown(id=row.id, author_id=row.author_id, text=row.text, created_at=row.created_at)


def _show_contact(row: Contact, addresses: list[ContactAddress]) -> ContactShown:
    shown = [AddressShown(channel_id=one.channel_id, kind=one.kind, value=one.value) for one in addresses]
    return ContactShown(
        id=row.id,
        name=row.name,
        attributes=row.attributes,
        addresses=shown,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
