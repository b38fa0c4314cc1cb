"""Users: who works for a tenant, and as what."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from gateway import handlers, store
from gateway.handlers import AddUser, Entrance
from gateway.models import User
from gateway.schemas import NewUser, UserChange, UserShown
from shared.http import (
    Caller,
    NotFound,
    Page,
    Pages,
    TransactionRoute,
    Work,
    check_version,
    requires,
    tell_version,
)

ReadUsers = Annotated[Caller, Depends(requires("users:read"))]
WriteUsers = Annotated[Caller, Depends(requires("users:write"))]

users = APIRouter(prefix="/v1/users", route_class=TransactionRoute, tags=["Users"])


@users.post("", status_code=201, summary="Add a user")
async def add_user(body: NewUser, caller: WriteUsers, uow: Work, request: Request, response: Response) -> UserShown:
    """Active at once. 403 for a role that may more than the caller, 409 when the tenant has the e-mail address."""
    entrance: Entrance = request.app.state.entrance
    hashed = await entrance.passwords.hash(body.password.get_secret_value()) if body.password is not None else None
    command = AddUser(body.name, body.email, body.role, hashed, caller.scopes)
    user = await handlers.add_user(caller.tenant_id, command, entrance.blind_index, uow)
    tell_version(response, user.version)
    return show(user)


@users.get("", summary="List users")
async def list_users(caller: ReadUsers, paging: Pages, uow: Work) -> Page[UserShown]:
    """Those who are no longer active too, oldest first."""
    rows = await store.list_users(caller.tenant_id, uow.session, after=paging.after_id(), limit=paging.more)
    return paging.page(rows, show, lambda row: (row.id,))


@users.get("/{user_id}", summary="Read a user")
async def read_user(user_id: UUID, caller: ReadUsers, uow: Work, response: Response) -> UserShown:
    user = await store.user(caller.tenant_id, user_id, uow.session)
    if user is None:
        raise NotFound
    tell_version(response, user.version)
    return show(user)


@users.patch("/{user_id}", summary="Change a user")
async def change_user(
    user_id: UUID, body: UserChange, caller: WriteUsers, uow: Work, request: Request, response: Response
) -> UserShown:
    """A new password, role or `active` ends his access tokens within seconds; deactivated, he loses his API keys too.

    403 when he may, or would then, more than the caller. 409 when no active admin would be left.
    """
    entrance: Entrance = request.app.state.entrance
    changes = body.model_dump(exclude_unset=True, exclude={"password"})
    if body.password is not None:
        # Before the first look into the database: no connection is held meanwhile.
        changes["password_hash"] = await entrance.passwords.hash(body.password.get_secret_value())
    user = await store.user_to_change(caller.tenant_id, user_id, uow.session)
    if user is None:
        raise NotFound
    check_version(request, user.version)
    await handlers.change_user(user, changes, caller.scopes, uow)
    tell_version(response, user.version)
    return show(user)


def show(user: User) -> UserShown:
    """A user as those see him who may; never his password."""
    return UserShown(**{name: getattr(user, name) for name in UserShown.model_fields})
