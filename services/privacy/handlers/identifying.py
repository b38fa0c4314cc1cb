"""Finding whom a request means: the address to which his code goes and, once he is proven, all he is held under."""

from collections.abc import Sequence
from uuid import UUID

from services.privacy import store
from services.privacy.domain.identity import Known, lookup_key, reached_at, same_person
from services.privacy.models import Request
from shared.db import UnitOfWork
from shared.http import Conflict, NotFound


async def find_address(request: Request, uow: UnitOfWork) -> None:
    """Find the address on file at which the person is reached; whose it is, is not said before he has proven it."""
    reached = await _reached(request, await _holders(request, uow), uow)
    request.identifier_id = reached.id if reached is not None else None


async def identify_by_address(request: Request, uow: UnitOfWork) -> None:
    """The person is whose address it is that his code went to."""
    if request.identifier_id is None:
        raise LookupError("a code is right only when it was sent")
    known = await store.address(request.tenant_id, request.identifier_id, uow.session)
    if known is None:
        raise LookupError("an address on file stays there")
    await _identify(request, known.subject_id, uow)


async def identify(request: Request, uow: UnitOfWork) -> None:
    """The person is whom the request names; nobody is found as nobody."""
    holders = await _holders(request, uow)
    if not holders:
        return
    reached = await _reached(request, holders, uow)
    request.identifier_id = reached.id if reached is not None else None
    await _identify(request, reached.subject_id if reached is not None else holders[0], uow)


async def name_person(request: Request, kind: str, subject_id: UUID, uow: UnitOfWork) -> None:
    """The DPO says whom the request means; raises `NotFound`, and `Conflict` where a code has shown it."""
    if request.proven_by == "code":
        raise Conflict("The code has shown whom the request means.", slug="identity-proved")
    known = await store.subjects(request.tenant_id, [subject_id], uow.session)
    if kind not in [subject.kind for subject in known]:
        raise NotFound(f"There is no such {kind}.")
    request.wanted_id = subject_id
    await identify(request, uow)


async def _identify(request: Request, subject_id: UUID, uow: UnitOfWork) -> None:
    tenant_id, session = request.tenant_id, uow.session
    keys = {lookup_key(one.kind, one.value) for one in await store.addresses(tenant_id, session, of=[subject_id])}
    alike = [known.subject_id for known in await store.addresses(tenant_id, session, alike=keys)]
    everything = await store.addresses(tenant_id, session, of={subject_id, *alike})
    request.subject_id = subject_id
    request.subject_ids = same_person(subject_id, alike, everything)


async def _reached(request: Request, holders: Sequence[UUID], uow: UnitOfWork) -> Known | None:
    addresses = await store.addresses(request.tenant_id, uow.session, of=holders)
    return reached_at(addresses, request.contact_channel)


async def _holders(request: Request, uow: UnitOfWork) -> list[UUID]:
    """Whom the request names, or who is known by what it names, in its order."""
    if request.wanted_id is not None:
        return [known.id for known in await store.subjects(request.tenant_id, [request.wanted_id], uow.session)]
    keys = list(dict.fromkeys(lookup_key(one["kind"], one["value"]) for one in request.identifiers))
    found = await store.addresses(request.tenant_id, uow.session, alike=keys)
    in_order = sorted(found, key=lambda known: keys.index(lookup_key(known.kind, known.value)))
    return list(dict.fromkeys(known.subject_id for known in in_order))
