"""Proving who a person is: the code that goes to an address on file, its tries, and what the DPO has seen himself.

Whether anybody is known is found out in a job: nothing that is answered tells it, neither in words nor in time.
"""

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final
from uuid import UUID

from services.privacy import store
from services.privacy.domain.identity import (
    CODE_AGAIN_AFTER,
    CODE_LIFE,
    CODE_TRIES,
    CODES_MOST,
    CODES_WITHIN,
    Method,
)
from services.privacy.handlers.audit import PRIVACY
from services.privacy.handlers.identifying import find_address, identify, identify_by_address, name_person
from services.privacy.handlers.notices import tell, tell_extension
from services.privacy.handlers.redirecting import OPERATOR, hold_controller, redirect
from services.privacy.handlers.requests import move, note, tenant_of
from services.privacy.handlers.settling import confirm
from services.privacy.models import ProofCode, Request
from shared.db import Job, UnitOfWork
from shared.http import Conflict, TooManyRequests
from shared.jobs import Outside
from shared.personal import BlindIndex, Sealer

_PURPOSE: Final = "proof-code"


class SendProofCode(Job):
    """Look for the person, and have his code sent to him."""

    type = "privacy.send-proof-code"

    request_id: UUID
    code_id: UUID


class EndProof(Job):
    """The time to prove who one is may be over."""

    type = "privacy.end-proof"

    request_id: UUID


@dataclass(frozen=True, slots=True)
class DrawnCode:
    """A code that was drawn at random: what is kept of it, and what is sent, sealed."""

    id: UUID
    digest: bytes
    sealed: bytes = field(repr=False)


def drawn(code: str, code_id: UUID, tenant_id: UUID, index: BlindIndex, sealer: Sealer) -> DrawnCode:
    """What is kept of a code until it is sent."""
    sealed = sealer.seal(code.encode(), purpose=_PURPOSE, context=str(code_id))
    return DrawnCode(code_id, _digest(code, code_id, tenant_id, index), sealed)


async def make_code(request: Request, code: DrawnCode, refs: list[str], uow: UnitOfWork) -> None:
    """Keep a code and have it sent. When too many were sent to the same identifiers it is a blank, which goes to
    nobody; no answer tells that, or it would tell that somebody else has asked."""
    await store.hold_identifiers(request.tenant_id, refs, uow.session)
    made = await store.count_codes(request.tenant_id, refs, uow.now - CODES_WITHIN, uow.session)
    blank = made >= CODES_MOST
    row = ProofCode(
        id=code.id,
        tenant_id=request.tenant_id,
        request_id=request.id,
        digest=code.digest,
        sealed=None if blank else code.sealed,
        blank=blank,
        identifier_refs=refs,
        tries=0,
        made_at=uow.now,
        expires_at=uow.now + CODE_LIFE,
    )
    uow.session.add(row)
    request.proof_until = max(request.proof_until, row.expires_at)
    job = SendProofCode(tenant_id=request.tenant_id, request_id=request.id, code_id=code.id)
    uow.schedule(job, key=f"proof-code|{request.id}", due_at=uow.now)
    end = EndProof(tenant_id=request.tenant_id, request_id=request.id)
    uow.schedule(end, key=f"proof-end|{request.id}|{code.id}", due_at=request.proof_until)


async def make_another_code(request: Request, code: DrawnCode, uow: UnitOfWork, *, actor: str) -> None:
    """A new code in the place of the last; raises `Conflict`, and `TooManyRequests` within a minute."""
    _check_pending(request)
    last = await store.last_code(request.tenant_id, request.id, uow.session)
    if last is None:
        raise LookupError("a request was taken in without a code")
    wait = last.made_at + CODE_AGAIN_AFTER - uow.now
    if wait.total_seconds() > 0:
        raise TooManyRequests(headers={"Retry-After": str(max(1, int(wait.total_seconds())))})
    await make_code(request, code, last.identifier_refs, uow)
    await note(request, "code_made", uow, actor=actor)


async def verify_code(request: Request, code: str, index: BlindIndex, uow: UnitOfWork, *, actor: str) -> bool:
    """Whether this is the code that was sent; then the request goes on.

    The request is locked, so that each try counts, and the caller must let a wrong one be committed. A code that was
    sent to nobody is never right. After the last try nothing is written down any more, however often somebody tries.
    Raises `Conflict` when nothing is to be proven any more.
    """
    _check_pending(request)
    last = await store.last_code(request.tenant_id, request.id, uow.session)
    if last is None:
        raise LookupError("a request was taken in without a code")
    if last.tries >= CODE_TRIES:
        return False
    last.tries += 1
    is_same = compare_digest(last.digest, _digest(code, last.id, request.tenant_id, index))
    is_sent = request.identifier_id is not None and not last.blank
    if not (is_same and is_sent and uow.now < last.expires_at):
        await note(request, "code_wrong", uow, actor=actor, tries=last.tries)
        return False
    await identify_by_address(request, uow)
    await _prove(request, "code", uow, actor=actor)
    return True


async def verify_by_hand(
    request: Request, method: Method, named: tuple[str, UUID] | None, uow: UnitOfWork, *, actor: str
) -> None:
    """The DPO has seen who the person is, and may name him by kind and id; how and when is all that is kept of it.

    Raises `Conflict`, and `NotFound` for who is named and not known.
    """
    _check_pending(request)
    if named is not None:
        await name_person(request, *named, uow)
    else:
        await identify(request, uow)
    await _prove(request, method, uow, actor=actor)


async def end_proof(job: EndProof, uow: UnitOfWork) -> None:
    """Who has not proven himself in time may ask again; whether he was known makes no difference."""
    request = await store.request(job.tenant_id, job.request_id, uow.session, for_update=True)
    if request is not None and request.state == "identity_pending" and request.proof_until <= uow.now:
        await move(request, "expired", uow, actor=PRIVACY)


async def _prove(request: Request, method: Method, uow: UnitOfWork, *, actor: str) -> None:
    tenant = await tenant_of(request, uow)
    controller = await hold_controller(tenant, uow) if tenant.role == OPERATOR else None
    request.proven_by, request.proven_at = method, uow.now
    await move(request, "verified", uow, actor=actor, reason=method)
    await move(request, "triage", uow, actor=PRIVACY)
    if request.extended_at is not None:
        await tell_extension(request, uow)
    if tenant.role == OPERATOR:
        await redirect(request, controller, uow, actor=PRIVACY)
    elif request.right == "confirmation" and method == "code":
        # Who got a code is on file, so that nobody needs to decide; else the DPO says whether nobody is.
        await move(request, "approved", uow, actor=PRIVACY)
        await confirm(request, uow, actor=PRIVACY)


def _check_pending(request: Request) -> None:
    if request.state != "identity_pending":
        raise Conflict("Nothing is to be proven for this request.", slug="nothing-to-prove")


def _digest(code: str, code_id: UUID, tenant_id: UUID, index: BlindIndex) -> bytes:
    return bytes.fromhex(index.of(tenant_id, _PURPOSE, f"{code_id}|{code}"))


async def _read_code(job: SendProofCode, uow: UnitOfWork) -> tuple[UUID, bytes] | None:
    row = await store.code(job.tenant_id, job.code_id, uow.session)
    return (row.id, row.sealed) if row is not None and row.sealed is not None else None


async def _open_code(needed: tuple[UUID, bytes] | None, sealer: Sealer) -> str | None:
    if needed is None:
        return None
    code_id, sealed = needed
    return sealer.open(sealed, purpose=_PURPOSE, context=str(code_id)).decode()


async def _send_code(job: SendProofCode, code: str | None, uow: UnitOfWork) -> None:
    request = await store.request(job.tenant_id, job.request_id, uow.session, for_update=True)
    row = await store.code(job.tenant_id, job.code_id, uow.session)
    if request is None or row is None:
        return
    if row.blank:
        await note(request, "code_withheld", uow, actor=PRIVACY)
    if code is None:
        return
    row.sealed = None
    if request.state != "identity_pending" or row.expires_at <= uow.now:
        return
    await find_address(request, uow)
    if request.identifier_id is not None:
        values = {"code": code, "minutes": str(CODE_LIFE.seconds // 60)}
        await tell(request, "proof_code", values, uow)


SENDING_CODES: Final = Outside(read=_read_code, call=_open_code, record=_send_code)
"""Nothing outside is called: the job is of this kind because only such a one is given the sealer."""
