"""The gateway's own API: tenants and keys; and the door to everything else."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import FileResponse
from starlette.routing import Route, Router

from gateway import handlers, store
from gateway.domain import PLATFORM_SCOPE
from gateway.handlers import AddApiKey, AddTenant
from gateway.models import ApiKey, Tenant
from gateway.proxy import KeyHolders, Proxy
from gateway.routes import BEGINNINGS
from gateway.schemas import (
    ApiKeyShown,
    NewApiKey,
    NewApiKeyShown,
    NewTenant,
    NewTenantShown,
    TenantChange,
    TenantShown,
)
from gateway.settings import Settings
from shared.http import (
    Caller,
    ContextSigner,
    Door,
    NotFound,
    Page,
    Pages,
    TransactionRoute,
    Work,
    check_version,
    outgoing_client,
    requires,
    tell_version,
)
from shared.service import Kernel

Platform = Annotated[Caller, Depends(requires(PLATFORM_SCOPE))]
ReadTenant = Annotated[Caller, Depends(requires("tenant:read"))]
WriteTenant = Annotated[Caller, Depends(requires("tenant:write"))]
ReadApiKeys = Annotated[Caller, Depends(requires("api_keys:read"))]
WriteApiKeys = Annotated[Caller, Depends(requires("api_keys:write"))]


@asynccontextmanager
async def furnish(kernel: Kernel[Settings]) -> AsyncIterator[None]:
    """The door, for as long as the process runs."""
    settings = kernel.settings
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(outgoing_client(url)) for name, url in settings.services.items()
        }
        signer = ContextSigner(settings.caller_private_key.get_secret_value())
        kernel.app.state.proxy = Proxy(clients, kernel.app.state.desk.callers, signer)
        kernel.app.state.openapi = settings.openapi
        yield


def callers(kernel: Kernel[Settings]) -> KeyHolders:
    return KeyHolders(kernel.settings, kernel.database)


tenants = APIRouter(prefix="/v1/tenants", route_class=TransactionRoute, tags=["Tenants"])


@tenants.post("", status_code=201, summary="Add a tenant")
async def add_tenant(body: NewTenant, _: Platform, uow: Work, response: Response) -> NewTenantShown:
    """With the platform's key. The answer holds the key of the tenant's first admin, shown this once."""
    tenant, row, key = await handlers.add_tenant(AddTenant(**body.model_dump()), uow)
    tell_version(response, tenant.version)
    return NewTenantShown(**_show(tenant).model_dump(), admin_key=_show_new(row, str(key)))


@tenants.get("/{tenant_id}", summary="Read the tenant")
async def read_tenant(tenant_id: UUID, caller: ReadTenant, uow: Work, response: Response) -> TenantShown:
    """The caller's own tenant; any other is not there."""
    tenant = await store.tenant(caller.tenant_id, uow.session)
    if tenant is None or tenant.id != tenant_id:
        raise NotFound
    tell_version(response, tenant.version)
    return _show(tenant)


@tenants.patch("/{tenant_id}", summary="Change the tenant")
async def change_tenant(
    tenant_id: UUID, body: TenantChange, caller: WriteTenant, uow: Work, request: Request, response: Response
) -> TenantShown:
    """Its name, time zone and locale; country and legal regime stay as they were agreed."""
    tenant = await store.tenant(caller.tenant_id, uow.session, for_update=True)
    if tenant is None or tenant.id != tenant_id:
        raise NotFound
    check_version(request, tenant.version)
    await handlers.change_tenant(tenant, body.model_dump(exclude_unset=True), uow)
    tell_version(response, tenant.version)
    return _show(tenant)


api_keys = APIRouter(prefix="/v1/api-keys", route_class=TransactionRoute, tags=["API keys"])


@api_keys.post("", status_code=201, summary="Add an API key")
async def add_api_key(body: NewApiKey, caller: WriteApiKeys, uow: Work) -> NewApiKeyShown:
    """The answer holds the key, shown this once. 403 when the role does not allow one of the scopes."""
    scopes = frozenset(body.scopes) if body.scopes is not None else None
    command = AddApiKey(body.label, body.role, scopes, caller.scopes, body.expires_at)
    row, key = await handlers.add_api_key(caller.tenant_id, command, uow)
    return _show_new(row, str(key))


@api_keys.get("", summary="List API keys")
async def list_api_keys(caller: ReadApiKeys, paging: Pages, uow: Work) -> Page[ApiKeyShown]:
    """The revoked ones too, oldest first, without their secrets."""
    after = paging.after(UUID)
    rows = await store.list_api_keys(
        caller.tenant_id, uow.session, after=after[0] if after else None, limit=paging.more
    )
    return paging.page(rows, _show_key, lambda row: (row.id,))


@api_keys.delete("/{api_key_id}", status_code=204, summary="Revoke an API key")
async def revoke_api_key(api_key_id: UUID, caller: WriteApiKeys, uow: Work) -> None:
    """It opens nothing any more, everywhere within seconds."""
    await handlers.revoke_api_key(caller.tenant_id, api_key_id, uow)


door = APIRouter(include_in_schema=False)


@door.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The whole public API in one document."""
    document: Path = request.app.state.openapi
    return FileResponse(document, media_type="application/json")


async def pass_on(request: Request) -> Response:
    """What another service answers."""
    proxy: Proxy = request.app.state.proxy
    return await proxy.pass_on(request)


_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# One route for each beginning, so that metrics tell them apart.
passing = Door(
    Router(
        [
            Route(path, pass_on, methods=_METHODS)
            for beginning in BEGINNINGS
            for path in (beginning, f"{beginning}/{{path:path}}")
        ],
        redirect_slashes=False,
    )
)


def _show(tenant: Tenant) -> TenantShown:
    return TenantShown(**{name: getattr(tenant, name) for name in TenantShown.model_fields})


def _show_key(row: ApiKey) -> ApiKeyShown:
    return ApiKeyShown(**{name: getattr(row, name) for name in ApiKeyShown.model_fields})


def _show_new(row: ApiKey, key: str) -> NewApiKeyShown:
    return NewApiKeyShown(**_show_key(row).model_dump(), key=key)
