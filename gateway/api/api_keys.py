"""API keys: given, listed, revoked."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from gateway import handlers, store
from gateway.handlers import AddApiKey
from gateway.models import ApiKey
from gateway.schemas import ApiKeyShown, NewApiKey, NewApiKeyShown
from shared.http import Caller, Page, Pages, TransactionRoute, Work, requires

ReadApiKeys = Annotated[Caller, Depends(requires("api_keys:read"))]
WriteApiKeys = Annotated[Caller, Depends(requires("api_keys:write"))]

api_keys = APIRouter(prefix="/v1/api-keys", route_class=TransactionRoute, tags=["API keys"])


@api_keys.post("", status_code=201, summary="Add an API key")
async def add_api_key(body: NewApiKey, caller: WriteApiKeys, uow: Work) -> NewApiKeyShown:
    """The answer holds the key, shown this once. 403 when the role does not allow one of the scopes.

    A user's key calls as that user, may do at most what his role allows at the time, and ends when he is deactivated.
    """
    scopes = frozenset(body.scopes) if body.scopes is not None else None
    command = AddApiKey(body.label, body.role, scopes, caller.scopes, body.expires_at, body.user_id)
    row, key = await handlers.add_api_key(caller.tenant_id, command, uow)
    return show_new(row, str(key))


@api_keys.get("", summary="List API keys")
async def list_api_keys(caller: ReadApiKeys, paging: Pages, uow: Work) -> Page[ApiKeyShown]:
    """The revoked ones too, oldest first, without their secrets."""
    rows = await store.list_api_keys(caller.tenant_id, uow.session, after=paging.after_id(), limit=paging.more)
    return paging.page(rows, _show, lambda row: (row.id,))


@api_keys.delete("/{api_key_id}", status_code=204, summary="Revoke an API key")
async def revoke_api_key(api_key_id: UUID, caller: WriteApiKeys, uow: Work) -> None:
    """It opens nothing any more, everywhere within seconds."""
    await handlers.revoke_api_key(caller.tenant_id, api_key_id, uow)


def show_new(row: ApiKey, key: str) -> NewApiKeyShown:
    """A key with its secret, as its holder is told of it once."""
    return NewApiKeyShown(**_show(row).model_dump(), key=key)


def _show(row: ApiKey) -> ApiKeyShown:
    return ApiKeyShown(**{name: getattr(row, name) for name in ApiKeyShown.model_fields})
