"""What the gateway does with tenants and keys."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway import store
from gateway.domain import ALLOWED, SCOPES, SECRET_BYTES, Key, Role, is_good
from gateway.models import ApiKey, Tenant
from shared.db import Database, UnitOfWork, is_unique_violation
from shared.events.gateway import ApiKeyChanged, TenantChanged
from shared.http import Caller, Conflict, Forbidden, NotFound


@dataclass(frozen=True, slots=True)
class AddTenant:
    name: str
    slug: str
    country: str
    time_zone: str
    locale: str
    legal_regime: str
    role: str


@dataclass(frozen=True, slots=True)
class AddApiKey:
    label: str
    role: Role
    scopes: frozenset[str] | None = None
    """None gives all that the role allows, as far as who gives it may do it himself."""
    given_by: frozenset[str] = SCOPES
    """What the giver may do: nobody gives more than he has."""
    expires_at: datetime | None = None


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
    uow.session.add(tenant)
    try:
        await uow.session.flush()
    except Exception as error:
        if is_unique_violation(error):
            raise Conflict("This slug is taken.", slug="slug-taken") from None
        raise
    uow.emit(_told(tenant))
    row, key = await add_api_key(tenant.id, AddApiKey("First admin", Role.ADMIN), uow)
    return tenant, row, key


async def change_tenant(tenant: Tenant, changes: Mapping[str, str], uow: UnitOfWork) -> None:
    """Change what a tenant may change of itself; the services hear of it, unless it is so already."""
    if uow.change(tenant, changes):
        uow.emit(_told(tenant))


async def add_api_key(tenant_id: UUID, command: AddApiKey, uow: UnitOfWork) -> tuple[ApiKey, Key]:
    """A new key, whose secret only its holder knows from now on; raises `Forbidden` for scopes beyond the role."""
    allowed = ALLOWED[command.role] & command.given_by
    scopes = allowed if command.scopes is None else command.scopes
    if beyond := scopes - allowed:
        raise Forbidden(f"The role, or who gives it, does not have {', '.join(sorted(beyond))}.")
    key = Key(tenant_id, secrets.token_bytes(SECRET_BYTES))
    row = ApiKey(
        id=uow.new_id(),
        tenant_id=tenant_id,
        label=command.label,
        role=command.role,
        scopes=sorted(scopes),
        digest=key.digest,
        created_at=uow.now,
        expires_at=command.expires_at,
    )
    uow.session.add(row)
    uow.emit(_granted(row))
    return row, key


async def revoke_api_key(tenant_id: UUID, api_key_id: UUID, uow: UnitOfWork) -> None:
    """Let a key open nothing any more; once more changes nothing. Raises `NotFound`."""
    row = await store.api_key(tenant_id, api_key_id, uow.session)
    if row is None:
        raise NotFound
    if row.revoked_at is None:
        row.revoked_at = uow.now
        uow.emit(_granted(row))


async def caller_of(key: Key, now: datetime, database: Database) -> Caller | None:
    """Who holds a key; None when it opens nothing."""
    async with database.unit_of_work([key.tenant_id]) as uow:
        row = await store.api_key_by_digest(key.tenant_id, key.digest, uow.session)
    if row is None or not is_good(now, expires_at=row.expires_at, revoked_at=row.revoked_at):
        return None
    return Caller(str(row.id), row.tenant_id, frozenset(row.scopes))


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


def _granted(row: ApiKey) -> ApiKeyChanged:
    return ApiKeyChanged(
        tenant_id=row.tenant_id,
        api_key_id=row.id,
        label=row.label,
        role=row.role,
        scopes=row.scopes,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
