"""A tenant as it is known here, and what it says of itself: whether it is a small agent, and for whom it works."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.privacy import store
from services.privacy.handlers.audit import write_down
from services.privacy.handlers.redirecting import RedirectWaiting, schedule_redirects
from services.privacy.models import PrivacySettings, Tenant
from shared.db import UnitOfWork
from shared.http import NotFound


async def known_tenant(tenant_id: UUID, uow: UnitOfWork) -> Tenant:
    """The tenant as it is known here; raises `NotFound` while it is not."""
    tenant = await store.tenant(tenant_id, uow.session)
    if tenant is None:
        raise NotFound("The tenant is not known here yet.")
    return tenant


async def set_settings(settings: PrivacySettings, fields: Mapping[str, Any], uow: UnitOfWork, *, actor: str) -> None:
    """Change held settings; requests that were received before keep their deadlines, and those go on that waited for
    an operator's controller to be known."""
    if uow.change(settings, fields):
        details = {"small_agent": settings.small_agent, "version": settings.version}
        await write_down(uow, tenant_id=settings.tenant_id, actor=actor, action="settings_changed", details=details)
        if settings.controller is not None:
            schedule_redirects(RedirectWaiting(tenant_id=settings.tenant_id), uow)
