"""What the tenant does with a contact."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.conversation.models import Contact
from shared.db import UnitOfWork
from shared.events.conversation import ContactAdded


@dataclass(frozen=True, slots=True)
class ChangeContact:
    """What is to be known of a contact; None leaves a thing as it is."""

    name: str | None = field(default=None, repr=False)
    attributes: Mapping[str, Any] | None = field(default=None, repr=False)


async def add_contact(tenant_id: UUID, command: ChangeContact, uow: UnitOfWork) -> Contact:
    contact = Contact(
        id=uow.new_id(),
        tenant_id=tenant_id,
        name=command.name,
        attributes=dict(command.attributes or {}),
        version=1,
        created_at=uow.now,
        updated_at=uow.now,
    )
    uow.session.add(contact)
    uow.emit(ContactAdded(tenant_id=tenant_id, contact_id=contact.id))
    return contact


async def change_contact(contact: Contact, command: ChangeContact, uow: UnitOfWork) -> None:
    if command.name is not None:
        contact.name = command.name
    if command.attributes is not None:
        contact.attributes = dict(command.attributes)
    contact.version += 1
    contact.updated_at = uow.now
