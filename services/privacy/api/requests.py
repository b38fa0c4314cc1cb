"""Requests by API, as the tenant's staff takes them in and the DPO decides on them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.privacy import handlers, store
from services.privacy.api.callers import Asked, Held, InOffice, ReadPrivacy, RequestPrivacy, WritePrivacy, find_request
from services.privacy.api.drawing import coming_in, draw_code
from services.privacy.api.showing import showing, taken, wrong_code
from services.privacy.domain.requests import State
from services.privacy.models import Request
from services.privacy.schemas import (
    CompletionGiven,
    ExtensionGiven,
    FollowedRequest,
    NewRequest,
    PersonNamed,
    ProofGiven,
    ReasonGiven,
    RequestListed,
    RequestShown,
    RequestTaken,
)
from shared.db import UnitOfWork
from shared.http import Forbidden, Page, Pages, TransactionRoute, Work

requests = APIRouter(prefix="/privacy/requests", route_class=TransactionRoute, tags=["Privacy"])


@requests.post("", status_code=202, summary="Take in a person's request")
async def add_request(body: NewRequest, caller: RequestPrivacy, uow: Work, office: InOffice) -> RequestTaken:
    """What a person asks for who was heard by the staff. The clock runs from now on; whom it means is looked for
    afterwards, and a code goes to an address that is on file: at most three in an hour to one person."""
    command = coming_in(body, caller.tenant_id, office, origin="staff", wanted_id=body.contact_id or body.user_id)
    request, token = await handlers.receive_request(command, uow, actor=caller.id)
    return taken(request, str(token))


@requests.get("", summary="List persons' requests")
async def list_requests(
    caller: ReadPrivacy,
    paging: Pages,
    uow: Work,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    overdue: Annotated[bool | None, Query(description="Only those whose time is over, or is not.")] = None,
) -> Page[RequestListed]:
    """Oldest first; 404 while the tenant is not known here yet."""
    here = await showing(caller.tenant_id, uow)
    rows = await store.list_requests(
        caller.tenant_id,
        uow.session,
        state=state,
        overdue=overdue,
        now=uow.now,
        after=paging.after_id(),
        limit=paging.more,
    )
    return paging.page(rows, here.listed, lambda row: (row.id,))


@requests.get("/{request_id}", summary="Read a person's request")
async def read_request(request_id: UUID, caller: ReadPrivacy, uow: Work) -> RequestShown:
    """With its deadlines, from what they were counted, and all that was done for it."""
    return await _shown(await find_request(caller, request_id, uow), uow)


@requests.post("/{request_id}/verification", summary="Prove who a person is", response_model=FollowedRequest)
async def verify(body: ProofGiven, request: Asked, caller: RequestPrivacy, uow: Work, office: InOffice) -> Any:
    """By the code that he was sent, or, with `privacy:write`, by what the DPO has seen, who can say by `contact_id` or
    `user_id` whom the request means (404 if nobody is known by it). 422 `wrong-code` for a code that is not right or
    not good any more: one has five tries and ten minutes. 409 when nothing is to be proven."""
    if body.method is not None:
        if "privacy:write" not in caller.scopes:
            raise Forbidden("The scope privacy:write is needed.")
        await handlers.verify_by_hand(request, body.method, body.named, uow, actor=caller.id)
    elif body.code is not None and not await handlers.verify_code(
        request, body.code, office.blind_index, uow, actor=caller.id
    ):
        return wrong_code()
    return (await showing(request.tenant_id, uow)).followed(request)


@requests.post("/{request_id}/codes", status_code=202, summary="Send another code")
async def add_code(request: Asked, caller: RequestPrivacy, uow: Work, office: InOffice) -> FollowedRequest:
    """Once a minute, else 429, and three are sent in an hour to one person; 409 when nothing is to be proven."""
    await handlers.make_another_code(request, draw_code(request.tenant_id, office), uow, actor=caller.id)
    return (await showing(request.tenant_id, uow)).followed(request)


@requests.post("/{request_id}/approval", summary="Grant a request")
async def approve(
    request: Held, caller: WritePrivacy, uow: Work, office: InOffice, body: PersonNamed | None = None
) -> RequestShown:
    """For access, all services are asked at once for what they hold; a confirmation is answered. Where no code has
    shown whom the request means, `contact_id` or `user_id` says it (404 if nobody is known by it); where nobody was
    found and nobody is named, the person is told that nothing is held. An operator sends the person on to its
    controller. 409 unless it waits for a decision; `controller-unknown` while the settings name none."""
    named = body.named if body is not None else None
    await handlers.approve(request, named, office.blind_index, office.sealer, uow, actor=caller.id)
    return await _shown(request, uow)


@requests.post("/{request_id}/rejection", summary="Refuse a request")
async def reject(body: ReasonGiven, request: Held, caller: WritePrivacy, uow: Work) -> RequestShown:
    """The person is told why, and where he can complain. 409 unless it waits for a decision."""
    await handlers.reject(request, body.reason, uow, actor=caller.id)
    return await _shown(request, uow)


@requests.post("/{request_id}/extension", summary="Tell that a request takes longer")
async def extend(body: ExtensionGiven, request: Held, caller: WritePrivacy, uow: Work) -> RequestShown:
    """The person is told why. Under the GDPR it is due two months later than it was, which can be said once and within
    the first month, else 409 (art. 12(3)); 409 `not-told` where no channel reaches him, unless `told_by` says how else
    he was told; who has not proved yet who he is, is told when he has. Under the LGPD the deadline stays, and what is
    overdue stays so."""
    await handlers.extend(request, body.reason, body.told_by, uow, actor=caller.id)
    return await _shown(request, uow)


@requests.post("/{request_id}/withdrawal", summary="Take a request back")
async def withdraw(request: Held, caller: WritePrivacy, uow: Work) -> RequestShown:
    """As the person wishes; what was gathered is gone. 409 once it is being carried out, or is settled."""
    await handlers.withdraw(request, uow, actor=caller.id)
    return await _shown(request, uow)


@requests.post("/{request_id}/completion", summary="Close a request that was settled by hand")
async def complete(body: CompletionGiven, request: Held, caller: WritePrivacy, uow: Work) -> RequestShown:
    """The person is told how it ended. 409 unless it was granted, and for access, which its package completes."""
    await handlers.complete(request, body.outcome, body.note, uow, actor=caller.id)
    return await _shown(request, uow)


@requests.post("/{request_id}/retries", status_code=202, summary="Ask the silent services again")
async def retry(request: Held, caller: WritePrivacy, uow: Work, office: InOffice) -> RequestShown:
    """Those that have answered are not asked. 409 when none was silent."""
    await handlers.retry(request, office.blind_index, uow, actor=caller.id)
    return await _shown(request, uow)


async def _shown(request: Request, uow: UnitOfWork) -> RequestShown:
    return await (await showing(request.tenant_id, uow)).shown(request)
