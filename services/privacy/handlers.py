"""What privacy does with what it hears: it keeps the registers that the rights of a person stand on."""

from collections.abc import Sequence

from services.privacy import store
from shared.db import UnitOfWork
from shared.events.conversation import ContactAdded
from shared.events.gateway import ApiKeyChanged, TenantChanged


async def register_subjects(events: Sequence[ContactAdded], uow: UnitOfWork) -> None:
    """A person of whom data is held is a data subject from then on."""
    rows = [
        {"id": event.contact_id, "tenant_id": event.tenant_id, "known_since": event.envelope.occurred_at}
        for event in events
    ]
    await store.keep_subjects(rows, uow.session)


async def know_tenants(events: Sequence[TenantChanged], uow: UnitOfWork) -> None:
    """Under which law each tenant is decides its deadlines."""
    fields = ("tenant_id", "legal_regime", "role", "country", "time_zone", "version")
    for event in events:
        await store.keep_tenant({name: getattr(event, name) for name in fields}, uow.session)


async def register_grants(events: Sequence[ApiKeyChanged], uow: UnitOfWork) -> None:
    """Who may look at personal data, and since when no more."""
    for event in events:
        row = {
            "api_key_id": event.api_key_id,
            "tenant_id": event.tenant_id,
            "label": event.label,
            "role": event.role,
            "scopes": event.scopes,
            "granted_at": event.created_at,
            "expires_at": event.expires_at,
            "revoked_at": event.revoked_at,
        }
        await store.keep_grant(row, uow.session)
