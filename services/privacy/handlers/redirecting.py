"""Sending a person on to who decides: an operator does not, by itself (LGPD art. 18 §4 I, GDPR art. 28(3)(e))."""

from typing import Final

from services.privacy import store
from services.privacy.handlers.audit import PRIVACY
from services.privacy.handlers.notices import tell
from services.privacy.handlers.requests import move, note
from services.privacy.models import Request, Tenant
from shared.db import Job, UnitOfWork

OPERATOR: Final = "operator"
"""The role of a tenant that works for somebody else."""

_AT_ONCE: Final = 50
"""How many requests are sent on in one transaction."""


class RedirectWaiting(Job):
    """It is known by now for whom an operator works: send those on who wait for that."""

    type = "privacy.redirect-waiting"


async def hold_controller(tenant: Tenant, uow: UnitOfWork) -> str | None:
    """For whom an operator works, if it has said so; it does not say so before this transaction ends.

    Held before anything is written down, as the settings are where they are changed.
    """
    return (await store.hold_settings(tenant.tenant_id, uow.now, uow.session)).controller


async def redirect(request: Request, controller: str | None, uow: UnitOfWork, *, actor: str) -> None:
    """Tell the person who decides. While that is not known, the request waits in `triage`; raises `Conflict`."""
    if controller is None:
        await note(request, "controller_unknown", uow, actor=PRIVACY)
        return
    await move(request, "redirected_to_controller", uow, actor=actor)
    await tell(request, "redirected", {"controller": controller}, uow)


async def redirect_waiting(job: RedirectWaiting, uow: UnitOfWork) -> None:
    """Send on who waits, the oldest first."""
    tenant = await store.tenant(job.tenant_id, uow.session)
    settings = await store.settings(job.tenant_id, uow.session)
    if tenant is None or tenant.role != OPERATOR or settings is None or settings.controller is None:
        return
    waiting = await store.hold_waiting(job.tenant_id, "triage", _AT_ONCE, uow.session)
    for request in waiting:
        await redirect(request, settings.controller, uow, actor=PRIVACY)
    if len(waiting) == _AT_ONCE:
        schedule_redirects(job, uow)


def schedule_redirects(job: RedirectWaiting, uow: UnitOfWork) -> None:
    """Have those sent on who wait."""
    uow.schedule(job, key=f"redirect|{job.tenant_id}", due_at=uow.now)
