"""Gathering what all services hold about a person: each of them is asked, and each must answer."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.privacy import store
from services.privacy.handlers.audit import PRIVACY
from services.privacy.handlers.requests import move
from services.privacy.models import Package, Request
from shared.db import Job, UnitOfWork
from shared.events.privacy import SubjectDataRequested
from shared.personal import Sealer
from shared.rights import KEY_BYTES, KEY_PURPOSE, PARTICIPANTS

SILENT_AFTER: Final = timedelta(minutes=15)
"""Who has not handed over everything by then is named to the DPO."""


class CollectionTimedOut(Job):
    """Look who has not answered."""

    type = "privacy.collection-timed-out"

    request_id: UUID
    attempt: int


async def begin(request: Request, references: Mapping[str, Sequence[str]], sealer: Sealer, uow: UnitOfWork) -> None:
    """Make the request's key, and ask every service for what it holds under these references."""
    key = secrets.token_bytes(KEY_BYTES)
    package = Package(
        tenant_id=request.tenant_id,
        request_id=request.id,
        sealed_key=sealer.seal(key, purpose=KEY_PURPOSE, context=str(request.id)),
        attempt=1,
    )
    uow.session.add(package)
    tasks = [
        {
            "tenant_id": request.tenant_id,
            "request_id": request.id,
            "service": service,
            "attempt": package.attempt,
            "asked_at": uow.now,
        }
        for service in PARTICIPANTS
    ]
    await store.add_tasks(tasks, uow.session)
    _ask(request, package, PARTICIPANTS, references, uow)


async def ask_again(request: Request, references: Mapping[str, Sequence[str]], uow: UnitOfWork) -> None:
    """Ask those again who were silent; what they handed over in part is forgotten, and comes anew."""
    package = await store.package(request.tenant_id, request.id, uow.session)
    if package is None:
        raise LookupError("nothing is gathered for this request")
    package.attempt += 1
    waiting = [task for task in await store.tasks(request.tenant_id, request.id, uow.session) if not task.completed_at]
    for task in waiting:
        task.attempt, task.asked_at, task.parts, task.tables = package.attempt, uow.now, None, None
        await store.drop_parts(task, uow.session)
    _ask(request, package, [task.service for task in waiting], references, uow)


async def name_the_silent(job: CollectionTimedOut, uow: UnitOfWork) -> None:
    """Leave it to the DPO to act, when services have not answered this attempt."""
    request = await store.request(job.tenant_id, job.request_id, uow.session, for_update=True)
    package = await store.package(job.tenant_id, job.request_id, uow.session)
    if request is None or request.state != "collecting" or package is None or package.attempt != job.attempt:
        return
    tasks = await store.tasks(job.tenant_id, job.request_id, uow.session)
    request.silent = [task.service for task in tasks if not task.completed_at]
    await move(request, "action_required", uow, actor=PRIVACY)


def _ask(
    request: Request,
    package: Package,
    services: Sequence[str],
    references: Mapping[str, Sequence[str]],
    uow: UnitOfWork,
) -> None:
    uow.emit(
        SubjectDataRequested(
            tenant_id=request.tenant_id,
            request_id=request.id,
            subject_id=request.subject_id,
            attempt=package.attempt,
            services=list(services),
            references={kind: list(found) for kind, found in references.items()},
            sealed_key=base64.b64encode(package.sealed_key).decode(),
            requested_at=uow.now,
        )
    )
    job = CollectionTimedOut(tenant_id=request.tenant_id, request_id=request.id, attempt=package.attempt)
    uow.schedule(job, key=f"collection|{request.id}", due_at=uow.now + SILENT_AFTER)
