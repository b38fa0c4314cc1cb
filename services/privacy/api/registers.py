"""Privacy by API: the registers that the DPO reads."""

from fastapi import APIRouter, Request, Response

from services.privacy import handlers, store
from services.privacy.api.callers import ReadPrivacy, WritePrivacy
from services.privacy.models import AccessGrant, PrivacySettings
from services.privacy.schemas import AccessGrantShown, RegisterShown, SettingsGiven, SettingsShown
from shared.http import Page, Pages, TransactionRoute, Work, check_version, tell_version

privacy = APIRouter(prefix="/privacy", route_class=TransactionRoute, tags=["Privacy"])


@privacy.get("/register", summary="Read the register")
async def read_register(caller: ReadPrivacy, uow: Work) -> RegisterShown:
    """Under which law the tenant is, and of how many persons it holds data; 404 while it is not known here yet."""
    tenant = await handlers.known_tenant(caller.tenant_id, uow)
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


@privacy.get("/settings", summary="Read the privacy settings")
async def read_settings(caller: ReadPrivacy, uow: Work, response: Response) -> SettingsShown:
    """What the tenant says of itself as a controller or an operator."""
    settings = await store.settings(caller.tenant_id, uow.session)
    tell_version(response, settings.version if settings else 0)
    return _show_settings(settings)


@privacy.put("/settings", summary="Set the privacy settings")
async def set_settings(
    body: SettingsGiven, caller: WritePrivacy, uow: Work, request: Request, response: Response
) -> SettingsShown:
    """They hold for requests that are received from now on."""
    settings = await store.hold_settings(caller.tenant_id, uow.now, uow.session)
    check_version(request, settings.version)
    await handlers.set_settings(settings, body.model_dump(), uow, actor=caller.id)
    tell_version(response, settings.version)
    return _show_settings(settings)


def _show_settings(row: PrivacySettings | None) -> SettingsShown:
    if row is None:
        return SettingsShown(small_agent=False, controller=None)
    return SettingsShown(small_agent=row.small_agent, controller=row.controller)


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
