"""What the tenant does with a contact."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.conversation.models import Contact
from shared.db import UnitOfWork
from shared.events.conversation import ContactAdded


async def add_contact(tenant_id: UUID, name: str | None, attributes: Mapping[str, Any], uow: UnitOfWork) -> Contact:
    contact = Contact(
        id=uow.new_id(),
        tenant_id=tenant_id,
        name=name,
        attributes=dict(attributes),
        version=1,
        created_at=uow.now,
        updated_at=uow.now,
    )
    uow.session.add(contact)
    uow.emit(ContactAdded(tenant_id=tenant_id, contact_id=contact.id))
    return contact


async def change_contact(contact: Contact, changes: Mapping[str, Any], uow: UnitOfWork) -> None:
    """Change a contact's name or attributes."""
    uow.change(contact, changes)
