"""Users: added and changed, and what of theirs ends with that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from gateway import store
from gateway.domain import Role, may_give
from gateway.handlers.api_keys import revoke_api_keys_of_user
from gateway.handlers.logins import fingerprint
from gateway.models import Login, User
from shared.db import UnitOfWork, is_unique_violation
from shared.events.gateway import UserChanged
from shared.http import Conflict, Forbidden, NotFound
from shared.personal import BlindIndex

_END_TOKENS: Final = {"role", "active", "password_hash"}


@dataclass(frozen=True, slots=True)
class AddUser:
    name: str
    email: str
    """In its normal form."""
    role: Role
    password_hash: str | None
    given_by: frozenset[str]
    """What who adds him may do: nobody gives more than he has."""


async def add_user(tenant_id: UUID, command: AddUser, blind_index: BlindIndex, uow: UnitOfWork) -> User:
    """A new user, active at once.

    Raises `Forbidden` for a role that may more than the giver, and `Conflict` when the tenant has this e-mail address.
    """
    _check_role(command.role, command.given_by)
    tenant = await store.tenant(tenant_id, uow.session)
    if tenant is None:
        raise NotFound
    user = User(
        id=uow.new_id(),
        tenant_id=tenant_id,
        name=command.name,
        email=command.email,
        role=command.role,
        active=True,
        password_hash=command.password_hash,
        token_version=1,
        version=1,
        created_at=uow.now,
        updated_at=uow.now,
    )
    uow.session.add(user)
    try:
        await uow.session.flush()
    except Exception as error:
        if is_unique_violation(error):
            raise Conflict("A user has this e-mail address already.", slug="email-taken") from None
        raise
    uow.session.add_all(
        Login(fingerprint=fingerprint(user.email, slug, blind_index), user_id=user.id, tenant_id=tenant_id)
        for slug in (None, tenant.slug)
    )
    uow.emit(_told(user))
    return user


async def change_user(user: User, changes: Mapping[str, Any], given_by: frozenset[str], uow: UnitOfWork) -> None:
    """Change a user; the services hear of it, unless he is so already.

    A new password or role ends his access tokens; who is no longer active loses his API keys, too. Raises `Forbidden`
    when he may, or would then, more than who changes him, and `Conflict` when no admin would be left.
    """
    _check_role(user.role, given_by)
    _check_role(changes.get("role", user.role), given_by)
    if _removes_admin(user, changes) and not await store.has_other_admin(user.tenant_id, user.id, uow.session):
        raise Conflict("This is the last active admin.", slug="last-admin")
    different = {name for name, value in changes.items() if getattr(user, name) != value}
    ending = {"token_version": user.token_version + 1} if different & _END_TOKENS else {}
    if uow.change(user, {**changes, **ending}):
        uow.emit(_told(user))
    if not user.active:
        await revoke_api_keys_of_user(user, uow)


def _removes_admin(user: User, changes: Mapping[str, Any]) -> bool:
    is_one = user.role == Role.ADMIN and user.active
    stays_one = changes.get("role", user.role) == Role.ADMIN and changes.get("active", user.active)
    return is_one and not stays_one


def _check_role(role: str, given_by: frozenset[str]) -> None:
    if not may_give(role, given_by):
        raise Forbidden(f"Who deals with a user whose role is {role} must himself have all that it allows.")


def _told(user: User) -> UserChanged:
    return UserChanged(
        tenant_id=user.tenant_id,
        user_id=user.id,
        name=user.name,
        role=user.role,
        active=user.active,
        version=user.version,
        changed_at=user.updated_at,
    )
