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
from services.privacy.models import DepositTask, Package, Request
from shared.db import Job, UnitOfWork
from shared.events.privacy import SubjectDataRequested
from shared.http import Conflict
from shared.personal import Sealer
from shared.rights import KEY_BYTES, KEY_PURPOSE, PARTICIPANTS

SILENT_AFTER: Final = timedelta(minutes=15)
"""Who has not handed over everything, and nothing for so long, is silent."""


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
            "heard_at": uow.now,
        }
        for service in PARTICIPANTS
    ]
    await store.add_tasks(tasks, uow.session)
    _ask(request, package, PARTICIPANTS, references, uow)


async def ask_again(request: Request, references: Mapping[str, Sequence[str]], uow: UnitOfWork) -> None:
    """Ask those again who are silent; what they handed over in part is forgotten, and comes anew.

    While the request still collects, who is at it is left alone. Raises `Conflict` when nobody is silent.
    """
    package = await store.package(request.tenant_id, request.id, uow.session)
    waiting = await _waiting(request, uow)
    if request.state == "collecting":
        waiting = [task for task in waiting if task.heard_at + SILENT_AFTER <= uow.now]
    if package is None or not waiting:
        raise Conflict("No service is silent.", slug="wrong-state")
    package.attempt += 1
    for task in waiting:
        task.attempt, task.asked_at, task.heard_at = package.attempt, uow.now, uow.now
        task.parts, task.plain_digest, task.tables = None, None, None
        await store.drop_parts(task, uow.session)
    _ask(request, package, [task.service for task in waiting], references, uow)


async def name_the_silent(job: CollectionTimedOut, uow: UnitOfWork) -> None:
    """Leave it to the DPO to act, once services that have not answered hand over nothing any more."""
    request = await store.request(job.tenant_id, job.request_id, uow.session, for_update=True)
    package = await store.package(job.tenant_id, job.request_id, uow.session)
    if request is None or request.state != "collecting" or package is None or package.attempt != job.attempt:
        return
    waiting = await _waiting(request, uow)
    silent_at = max(task.heard_at for task in waiting) + SILENT_AFTER
    if uow.now < silent_at:
        uow.schedule(job, key=_key(request), due_at=silent_at)
        return
    request.silent = [task.service for task in waiting]
    await move(request, "action_required", uow, actor=PRIVACY)


async def _waiting(request: Request, uow: UnitOfWork) -> list[DepositTask]:
    """What was asked for and is not there yet."""
    tasks = await store.tasks(request.tenant_id, request.id, uow.session)
    return [task for task in tasks if not task.completed_at]


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
    uow.schedule(job, key=_key(request), due_at=uow.now + SILENT_AFTER)


def _key(request: Request) -> str:
    return f"collection|{request.id}"
