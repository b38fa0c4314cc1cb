"""Tenants: made by the platform, changed by themselves."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from gateway import handlers, store
from gateway.api.api_keys import show_new
from gateway.domain import PLATFORM_SCOPE
from gateway.handlers import AddTenant
from gateway.models import Tenant
from gateway.schemas import NewTenant, NewTenantShown, TenantChange, TenantShown
from shared.http import Caller, NotFound, TransactionRoute, Work, check_version, requires, tell_version

Platform = Annotated[Caller, Depends(requires(PLATFORM_SCOPE))]
ReadTenant = Annotated[Caller, Depends(requires("tenant:read"))]
WriteTenant = Annotated[Caller, Depends(requires("tenant:write"))]

tenants = APIRouter(prefix="/v1/tenants", route_class=TransactionRoute, tags=["Tenants"])


@tenants.post("", status_code=201, summary="Add a tenant")
async def add_tenant(body: NewTenant, _: Platform, uow: Work, response: Response) -> NewTenantShown:
    """With the platform's key. The answer holds the key of the tenant's first admin, shown this once."""
    tenant, row, key = await handlers.add_tenant(AddTenant(**body.model_dump()), uow)
    tell_version(response, tenant.version)
    return NewTenantShown(**_show(tenant).model_dump(), admin_key=show_new(row, str(key)))


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


def _show(tenant: Tenant) -> TenantShown:
    return TenantShown(**{name: getattr(tenant, name) for name in TenantShown.model_fields})
