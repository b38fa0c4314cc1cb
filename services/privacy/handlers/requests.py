"""The life of a request: each change of its state is lawful, told, and written down."""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Final
from uuid import UUID

from services.privacy import store
from services.privacy.domain.identity import CODES_WITHIN
from services.privacy.domain.requests import ENDED_AS, SETTLED, Ending, State, TrackingToken, may_move
from services.privacy.handlers.audit import write_down
from services.privacy.models import Request, Tenant
from shared.db import Job, UnitOfWork
from shared.events.privacy import PrivacyRequestChanged
from shared.http import Conflict, NotFound

_OUTCOMES: Final[Mapping[str, Ending]] = {state: outcome for outcome, state in ENDED_AS.items()}


class ForgetCodes(Job):
    """The codes of a settled request count for nothing any more."""

    type = "privacy.forget-codes"

    request_id: UUID


async def move(request: Request, to: State, uow: UnitOfWork, *, actor: str, reason: str | None = None) -> None:
    """Bring a locked request into another state; `reason` is a word of ours, never what somebody wrote.

    The outcome of a settled one is what it was given before, else what its state says. Raises `Conflict` when its
    present state does not allow it.
    """
    before = request.state
    if not may_move(before, to):
        raise Conflict(f"A request that is {before} cannot become {to}.", slug="wrong-state")
    request.state, request.changed_at = to, uow.now
    if to in SETTLED:
        request.settled_at = uow.now
        request.outcome = request.outcome or _OUTCOMES.get(to)
        _forget(request, uow)
    tell_changed(request, uow)
    details = {"from": before, "to": to} | ({"reason": reason} if reason else {})
    await note(request, "state_changed", uow, actor=actor, **details)


def tell_changed(request: Request, uow: UnitOfWork) -> None:
    """Say how a request stands."""
    uow.emit(
        PrivacyRequestChanged(
            tenant_id=request.tenant_id,
            request_id=request.id,
            right=request.right,
            state=request.state,
            due_at=request.due_at,
            legal_latest_at=request.legal_latest_at,
            silent=request.silent,
            changed_at=uow.now,
        )
    )


async def note(
    request: Request, action: str, uow: UnitOfWork, *, actor: str, **details: str | int | bool | None
) -> None:
    """Write down in the audit chain what was done for a request; `details` hold nothing personal."""
    await write_down(
        uow,
        tenant_id=request.tenant_id,
        actor=actor,
        action=action,
        request_id=request.id,
        subject_id=request.subject_id,
        details=details,
    )


async def tenant_of(request: Request, uow: UnitOfWork) -> Tenant:
    """At whom a request was made; what is not known here takes none in."""
    tenant = await store.tenant(request.tenant_id, uow.session)
    if tenant is None:
        raise LookupError("a request has a tenant")
    return tenant


async def resume_request(
    tenant_id: UUID, request_id: UUID, token: str, uow: UnitOfWork, *, for_update: bool = False
) -> Request:
    """The request that this token opens; raises `NotFound`, which never tells what of it is wrong."""
    known = TrackingToken.parse(token)
    request = await store.request(tenant_id, request_id, uow.session, for_update=for_update)
    if request is None or known is None or known.tenant_id != tenant_id:
        raise NotFound
    if not compare_digest(request.token_digest, known.digest):
        raise NotFound
    return request


async def forget_codes(job: ForgetCodes, uow: UnitOfWork) -> None:
    """Drop them; until now they were counted."""
    await store.drop_codes(job.tenant_id, job.request_id, uow.session)


def _forget(request: Request, uow: UnitOfWork) -> None:
    if request.proven_at is None:
        # Nobody knows who asked: what he said of himself may be about anybody.
        request.identifiers, request.text, request.contact_channel = [], None, None
        request.wanted_id = request.identifier_id = None
    job = ForgetCodes(tenant_id=request.tenant_id, request_id=request.id)
    uow.schedule(job, key=f"codes|{request.id}", due_at=uow.now + CODES_WITHIN)
