"""Tenants: made and changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from gateway import store
from gateway.domain import Key, Role
from gateway.handlers.api_keys import AddApiKey, add_api_key
from gateway.models import ApiKey, Tenant, TenantSlug
from shared.db import Database, UnitOfWork, is_unique_violation
from shared.events.gateway import TenantChanged
from shared.http import Conflict


@dataclass(frozen=True, slots=True)
class AddTenant:
    name: str
    slug: str
    country: str
    time_zone: str
    locale: str
    legal_regime: str
    role: str


async def add_tenant(command: AddTenant, uow: UnitOfWork) -> tuple[Tenant, ApiKey, Key]:
    """A new tenant with the key of its first admin; raises `Conflict` when the slug is taken."""
    tenant = Tenant(
        id=uow.new_id(),
        name=command.name,
        slug=command.slug,
        country=command.country,
        time_zone=command.time_zone,
        locale=command.locale,
        legal_regime=command.legal_regime,
        role=command.role,
        version=1,
        created_at=uow.now,
        updated_at=uow.now,
    )
    await uow.enter(tenant.id)
    uow.session.add_all([tenant, TenantSlug(slug=tenant.slug, tenant_id=tenant.id)])
    try:
        await uow.session.flush()
    except Exception as error:
        if is_unique_violation(error):
            raise Conflict("This slug is taken.", slug="slug-taken") from None
        raise
    uow.emit(_told(tenant))
    row, key = await add_api_key(tenant.id, AddApiKey("First admin", Role.ADMIN), uow)
    return tenant, row, key


async def tenant_of_slug(slug: str, database: Database) -> UUID | None:
    """Whose a slug is; None when it is nobody's."""
    async with database.unit_of_work([]) as uow:
        return await store.tenant_of_slug(slug, uow.session)


async def change_tenant(tenant: Tenant, changes: Mapping[str, str], uow: UnitOfWork) -> None:
    """Change what a tenant may change of itself; the services hear of it, unless it is so already."""
    if uow.change(tenant, changes):
        uow.emit(_told(tenant))


def _told(tenant: Tenant) -> TenantChanged:
    return TenantChanged(
        tenant_id=tenant.id,
        name=tenant.name,
        slug=tenant.slug,
        country=tenant.country,
        time_zone=tenant.time_zone,
        locale=tenant.locale,
        legal_regime=tenant.legal_regime,
        role=tenant.role,
        version=tenant.version,
        changed_at=tenant.updated_at,
    )
