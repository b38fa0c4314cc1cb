"""Privacy by API: the registers that the DPO reads."""

from typing import Annotated

from fastapi import APIRouter, Depends

from services.privacy import store
from services.privacy.models import AccessGrant
from services.privacy.schemas import AccessGrantShown, RegisterShown
from shared.http import Caller, NotFound, Page, Pages, TransactionRoute, Work, requires

ReadPrivacy = Annotated[Caller, Depends(requires("privacy:read"))]

privacy = APIRouter(prefix="/privacy", route_class=TransactionRoute, tags=["Privacy"])


@privacy.get("/register", summary="Read the register")
async def read_register(caller: ReadPrivacy, uow: Work) -> RegisterShown:
    """Under which law the tenant is, and of how many persons it holds data; 404 while it is not known here yet."""
    tenant = await store.tenant(caller.tenant_id, uow.session)
    if tenant is None:
        raise NotFound("The tenant is not known here yet.")
    return RegisterShown(
        legal_regime=tenant.legal_regime,
        role=tenant.role,
        country=tenant.country,
        time_zone=tenant.time_zone,
        subject_count=await store.count_subjects(caller.tenant_id, uow.session),
    )


@privacy.get("/access-grants", summary="List who may look at personal data")
async def list_access_grants(caller: ReadPrivacy, paging: Pages, uow: Work) -> Page[AccessGrantShown]:
    """Every API key, the revoked ones too, oldest first."""
    rows = await store.list_grants(caller.tenant_id, uow.session, after=paging.after_id(), limit=paging.more)
    return paging.page(rows, _show, lambda row: (row.api_key_id,))


def _show(row: AccessGrant) -> AccessGrantShown:
    return AccessGrantShown(
        api_key_id=row.api_key_id,
        label=row.label,
        role=row.role,
        scopes=row.scopes,
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
