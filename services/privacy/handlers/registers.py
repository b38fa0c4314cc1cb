"""What privacy does with what it hears: it keeps the registers that the rights of a person stand on."""

from collections.abc import Sequence

from services.privacy import store
from services.privacy.domain.identity import lookup_key
from services.privacy.store import NewIdentifier, NewSubject
from shared.db import UnitOfWork
from shared.events.conversation import ContactAdded, ContactAddressesAdded
from shared.events.gateway import ApiKeyChanged, TenantChanged, UserChanged

Contacted = ContactAdded | ContactAddressesAdded


async def register_subjects(events: Sequence[Contacted], uow: UnitOfWork) -> None:
    """A person of whom data is held is a data subject from then on, and is found by his addresses."""
    people = (NewSubject(event.contact_id, event.tenant_id, "contact", event.envelope.occurred_at) for event in events)
    await store.keep_subjects(people, uow.session)
    if addresses := _identifiers(events, uow):
        await store.keep_identifiers(addresses, uow.session)


async def register_users(events: Sequence[UserChanged], uow: UnitOfWork) -> None:
    """Members of the tenant's staff are data subjects, too."""
    people = (NewSubject(event.user_id, event.tenant_id, "user", event.envelope.occurred_at) for event in events)
    await store.keep_subjects(people, uow.session)


async def know_tenants(events: Sequence[TenantChanged], uow: UnitOfWork) -> None:
    """Under which law each tenant is decides its deadlines; how it is called and speaks, what persons are told."""
    fields = ("tenant_id", "name", "slug", "locale", "legal_regime", "role", "country", "time_zone", "version")
    await store.keep_tenants([{name: getattr(event, name) for name in fields} for event in events], uow.session)


async def register_grants(events: Sequence[ApiKeyChanged], uow: UnitOfWork) -> None:
    """Who may look at personal data, and since when no more."""
    fields = ("api_key_id", "tenant_id", "label", "role", "scopes", "user_id", "expires_at", "revoked_at")
    rows = [{name: getattr(event, name) for name in fields} | {"granted_at": event.created_at} for event in events]
    await store.keep_grants(rows, uow.session)


def _identifiers(events: Sequence[Contacted], uow: UnitOfWork) -> list[NewIdentifier]:
    return [
        NewIdentifier(
            id=uow.new_id(),
            tenant_id=event.tenant_id,
            subject_id=event.contact_id,
            channel_id=event.channel_id,
            channel_kind=event.channel_kind,
            kind=address.kind,
            value=address.value,
            lookup_key=lookup_key(address.kind, address.value),
            known_since=event.envelope.occurred_at,
        )
        for event in events
        if event.channel_id is not None and event.channel_kind is not None
        for address in event.addresses
    ]
