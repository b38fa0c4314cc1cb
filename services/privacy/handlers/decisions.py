"""What the DPO decides of a request, and the person who takes it back."""

from uuid import UUID

from services.privacy import store
from services.privacy.domain.deadlines import Place, extended, may_be_extended
from services.privacy.domain.requests import ENDED_AS, Outcome
from services.privacy.handlers import collection, packages
from services.privacy.handlers.deadlines import watch
from services.privacy.handlers.identifying import name_person
from services.privacy.handlers.notices import tell, tell_extension
from services.privacy.handlers.redirecting import OPERATOR, hold_controller, redirect
from services.privacy.handlers.requests import move, note, tell_changed, tenant_of
from services.privacy.handlers.settling import confirm, settle
from services.privacy.models import Request
from shared.db import UnitOfWork
from shared.http import Conflict
from shared.personal import BlindIndex, Sealer

VISITOR = "visitor"
"""The kind of address whose value is the id of a web chat's session."""


async def approve(
    request: Request,
    named: tuple[str, UUID] | None,
    index: BlindIndex,
    sealer: Sealer,
    uow: UnitOfWork,
    *,
    actor: str,
) -> None:
    """Grant a locked request: what is held is gathered for who wants access, and a confirmation is answered; all else
    is settled by hand. An operator grants nothing by itself: the person is sent on.

    The DPO may name by kind and id whom it means; where nobody was found and nobody is named, nothing is held. Raises
    `Conflict`, and `NotFound` for who is named and not known.
    """
    tenant = await tenant_of(request, uow)
    if tenant.role == OPERATOR:
        controller = await hold_controller(tenant, uow)
        if controller is None:
            raise Conflict("Say in the settings for whom you work.", slug="controller-unknown")
        await redirect(request, controller, uow, actor=actor)
        return
    if named is not None:
        await name_person(request, *named, uow)
    await move(request, "approved", uow, actor=actor)
    if request.right == "confirmation":
        await confirm(request, uow, actor=actor)
    elif request.right == "access" and request.subject_id is None:
        await settle(request, "completed_no_data", uow, actor=actor)
    elif request.right == "access":
        await collection.begin(request, await references_of(request, index, uow), sealer, uow)
        await move(request, "collecting", uow, actor=actor)


async def retry(request: Request, index: BlindIndex, uow: UnitOfWork, *, actor: str) -> None:
    """Ask those services again that were silent; raises `Conflict`."""
    await collection.ask_again(request, await references_of(request, index, uow), uow)
    request.silent = []
    await note(request, "asked_again", uow, actor=actor)
    if request.state != "collecting":
        await move(request, "collecting", uow, actor=actor)


async def reject(request: Request, reason: str, uow: UnitOfWork, *, actor: str) -> None:
    """Refuse a request, and tell the person why and where he can complain; raises `Conflict`."""
    await move(request, "rejected", uow, actor=actor)
    request.reason = reason
    await tell(request, "rejected", {"reason": reason}, uow)


async def extend(request: Request, reason: str, told_by: str | None, uow: UnitOfWork, *, actor: str) -> None:
    """Tell the person that it takes longer, and why; `told_by` is how the DPO has told it to him himself.

    Under the GDPR the time becomes two months longer, once, if he is told within the first month (art. 12(3)): who
    cannot be told keeps the time that he was promised. Who has not proved yet who he is reads it where he follows his
    request, and is told once he has. The LGPD knows no extension: there the deadline stays, and what is overdue stays
    so. Raises `Conflict`.
    """
    if request.settled_at is not None or request.answered_at is not None:
        raise Conflict("The request is answered.", slug="wrong-state")
    place = Place.of(request.inputs)
    if place.regime == "gdpr":
        if not may_be_extended(place, request.rule_id, request.due_at, uow.now):
            raise Conflict("An extension is told within the first month, and once.", slug="too-late-to-extend")
        until = extended(request.received_at, place)
        request.due_at, request.legal_latest_at = until.due_at, until.legal_latest_at
        request.rule_id, request.calendar_version = until.rule_id, until.calendar_version
        request.inputs = dict(until.inputs)
        watch(request, uow)
    request.extended_at, request.extension_reason, request.changed_at = uow.now, reason, uow.now
    tell_changed(request, uow)
    await note(request, "extended", uow, actor=actor, due_at=request.due_at.isoformat(), told_by=told_by)
    if request.proven_at is None or told_by is not None:
        return
    if not await tell_extension(request, uow) and place.regime == "gdpr":
        raise Conflict("No channel reaches the person: say how he was told.", slug="not-told")


async def complete(request: Request, outcome: Outcome, words: str | None, uow: UnitOfWork, *, actor: str) -> None:
    """Close a request that was settled by hand, and tell the person; raises `Conflict`."""
    if request.right == "access":
        raise Conflict("Access is completed by the package.", slug="wrong-state")
    request.outcome, request.reason = outcome, words
    await settle(request, ENDED_AS[outcome], uow, actor=actor)


async def withdraw(request: Request, uow: UnitOfWork, *, actor: str) -> None:
    """Take a request back; what was gathered for it is gone. Raises `Conflict`."""
    await packages.destroy(request, uow)
    await move(request, "withdrawn", uow, actor=actor)


async def references_of(request: Request, index: BlindIndex, uow: UnitOfWork) -> dict[str, list[str]]:
    """Under what the person of a request is found, by kind of reference (`shared.personal.REFERENCES`)."""
    tenant_id, ids = request.tenant_id, request.subject_ids
    people = await store.subjects(tenant_id, ids, uow.session)
    addresses = await store.addresses(tenant_id, uow.session, of=ids)

    return {
        "contact": [str(subject.id) for subject in people if subject.kind == "contact"],
        "user": [str(subject.id) for subject in people if subject.kind == "user"],
        "sender": [index.of_address(tenant_id, known.channel_id, known.kind, known.value) for known in addresses],
        "visitor": [known.value for known in addresses if known.kind == VISITOR],
    }
