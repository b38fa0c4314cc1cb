"""API keys: given to machines and to users, and taken away."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway import store
from gateway.domain import ALLOWED, SCOPES, Key, Role, is_good, may_give
from gateway.models import ApiKey, User
from shared.bearers import SECRET_BYTES
from shared.db import Database, UnitOfWork
from shared.events.gateway import ApiKeyChanged
from shared.http import Caller, Forbidden, Invalid, NotFound


@dataclass(frozen=True, slots=True)
class AddApiKey:
    label: str
    role: Role
    scopes: frozenset[str] | None = None
    """None gives all that the role allows, as far as who gives it may do it himself."""
    given_by: frozenset[str] = SCOPES
    """What the giver may do: nobody gives more than he has."""
    expires_at: datetime | None = None
    user_id: UUID | None = None
    """As whom it calls; None: as itself."""


async def add_api_key(tenant_id: UUID, command: AddApiKey, uow: UnitOfWork) -> tuple[ApiKey, Key]:
    """A new key, whose secret only its holder knows from now on.

    Raises `Forbidden` for scopes beyond the role's, the user's or the giver's, and for a user who may more than the
    giver; `Invalid` for one who is not active.
    """
    allowed = ALLOWED[command.role] & command.given_by
    if command.user_id is not None:
        user = await _active_user(tenant_id, command.user_id, uow)
        if not may_give(user.role, command.given_by):
            raise Forbidden("Nobody lets another call as who may more than he himself.")
        allowed &= ALLOWED[Role(user.role)]
    scopes = allowed if command.scopes is None else command.scopes
    if beyond := scopes - allowed:
        raise Forbidden(f"The role, the user, or who gives it, does not have {', '.join(sorted(beyond))}.")
    key = Key(tenant_id, secrets.token_bytes(SECRET_BYTES))
    row = ApiKey(
        id=uow.new_id(),
        tenant_id=tenant_id,
        user_id=command.user_id,
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
        _revoke(row, uow)


async def revoke_api_keys_of_user(user: User, uow: UnitOfWork) -> None:
    """Let none of a user's keys open anything any more."""
    for row in await store.api_keys_of_user(user.tenant_id, user.id, uow.session):
        _revoke(row, uow)


async def caller_of_key(key: Key, now: datetime, database: Database) -> Caller | None:
    """Who holds a key; None when it opens nothing. As a user he has what that one's role allows at this moment."""
    async with database.unit_of_work([key.tenant_id]) as uow:
        found = await store.api_key_by_digest(key.tenant_id, key.digest, uow.session)
    if found is None:
        return None
    row, user = found
    if not is_good(now, expires_at=row.expires_at, revoked_at=row.revoked_at):
        return None
    scopes = frozenset(row.scopes)
    if user is None:
        return Caller(str(row.id), row.tenant_id, scopes)
    return Caller(str(user.id), row.tenant_id, scopes & ALLOWED[Role(user.role)])


async def _active_user(tenant_id: UUID, user_id: UUID, uow: UnitOfWork) -> User:
    # Held, so that nobody is deactivated while he is given a key that would outlive him.
    user = await store.user_to_change(tenant_id, user_id, uow.session)
    if user is None or not user.active:
        raise Invalid(errors=[{"pointer": "/user_id", "detail": "must be an active user of the tenant"}])
    return user


def _revoke(row: ApiKey, uow: UnitOfWork) -> None:
    row.revoked_at = uow.now
    uow.emit(_granted(row))


def _granted(row: ApiKey) -> ApiKeyChanged:
    return ApiKeyChanged(
        tenant_id=row.tenant_id,
        api_key_id=row.id,
        user_id=row.user_id,
        label=row.label,
        role=row.role,
        scopes=row.scopes,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
