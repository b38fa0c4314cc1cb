"""Watching the time of a request: it is told of before it is too late."""

from datetime import datetime
from uuid import UUID

from services.privacy import store
from services.privacy.domain.deadlines import ALERTED_AT, Place, alert_at, zone_of
from services.privacy.models import Request, Tenant
from shared.db import Job, UnitOfWork
from shared.events.privacy import DeadlineNeared


class NearDeadline(Job):
    """So much of the time for a request has passed."""

    type = "privacy.near-deadline"

    request_id: UUID
    due_at: datetime
    """The deadline as it was; once it is another one, there is another job."""
    share: float


async def place_of(tenant: Tenant, uow: UnitOfWork) -> Place:
    """Where and under which law a tenant's deadlines are counted."""
    settings = await store.settings(tenant.tenant_id, uow.session)
    small = settings is not None and settings.small_agent
    zone = zone_of(tenant.legal_regime, tenant.country, tenant.time_zone)
    return Place(tenant.legal_regime, tenant.country, zone, small_agent=small)


def watch(request: Request, uow: UnitOfWork, *, after: float = 0) -> None:
    """Have the request told of when the share of its time has passed that comes after this one, even if it has before:
    a job that runs late loses none."""
    share = next((share for share in ALERTED_AT if share > after), None)
    if share is not None:
        job = NearDeadline(tenant_id=request.tenant_id, request_id=request.id, due_at=request.due_at, share=share)
        at = alert_at(share, request.received_at, request.due_at)
        uow.schedule(job, key=f"deadline|{request.id}|{request.due_at.isoformat()}", due_at=at)


async def near_deadline(job: NearDeadline, uow: UnitOfWork) -> None:
    """Tell that the time runs out, unless the request is answered or settled or has more time by now."""
    request = await store.request(job.tenant_id, job.request_id, uow.session)
    if request is None or request.due_at != job.due_at or request.answered_at or request.settled_at:
        return
    uow.emit(
        DeadlineNeared(
            tenant_id=request.tenant_id,
            request_id=request.id,
            right=request.right,
            share=job.share,
            due_at=request.due_at,
            legal_latest_at=request.legal_latest_at,
            neared_at=uow.now,
        )
    )
    watch(request, uow, after=job.share)
