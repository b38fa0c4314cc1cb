"""Requests by API, as a person makes and follows his own: he says nothing but by what he is known."""

from typing import Any

from fastapi import APIRouter

from services.privacy import handlers
from services.privacy.api.callers import Followed, InOffice, Tracked, Visitor
from services.privacy.api.drawing import coming_in, draw_code
from services.privacy.api.showing import showing, taken, wrong_code
from services.privacy.handlers import SUBJECT
from services.privacy.schemas import CodeGiven, FollowedRequest, NewPublicRequest, RequestTaken
from shared.http import TransactionRoute, Work

own_requests = APIRouter(prefix="/public/privacy/requests", route_class=TransactionRoute, tags=["Privacy"])


@own_requests.post("", status_code=202, summary="Ask for what is one's right")
async def add_request(body: NewPublicRequest, caller: Visitor, uow: Work, office: InOffice) -> RequestTaken:
    """Whether anybody is known by these identifiers, no answer tells: a code goes to an address on file, where there is
    one. Keep `tracking_token`; it is sent as `X-Tracking-Token` from here on. Every request is taken in, and three
    codes are sent in an hour to one identifier; who got none can ask the tenant's staff."""
    command = coming_in(body, caller.tenant_id, office, origin="public")
    request, token = await handlers.receive_request(command, uow, actor=SUBJECT)
    return taken(request, str(token))


@own_requests.get("/{request_id}", summary="Follow one's request")
async def read_request(request: Followed, uow: Work) -> FollowedRequest:
    """404 alike for what is no request and for a token that is not its own."""
    return (await showing(request.tenant_id, uow)).followed(request)


@own_requests.post("/{request_id}/verification", summary="Prove who one is", response_model=FollowedRequest)
async def verify(body: CodeGiven, request: Tracked, uow: Work, office: InOffice) -> Any:
    """422 `wrong-code` for a code that is not right or not good any more: one has five tries and ten minutes. 409 when
    nothing is to be proven."""
    if not await handlers.verify_code(request, body.code, office.blind_index, uow, actor=SUBJECT):
        return wrong_code()
    return (await showing(request.tenant_id, uow)).followed(request)


@own_requests.post("/{request_id}/codes", status_code=202, summary="Ask for another code")
async def add_code(request: Tracked, uow: Work, office: InOffice) -> FollowedRequest:
    """Once a minute, else 429, and three are sent in an hour to one identifier; 409 when nothing is to be proven."""
    await handlers.make_another_code(request, draw_code(request.tenant_id, office), uow, actor=SUBJECT)
    return (await showing(request.tenant_id, uow)).followed(request)


@own_requests.post("/{request_id}/withdrawal", summary="Take one's request back")
async def withdraw(request: Tracked, uow: Work) -> FollowedRequest:
    """What was gathered for it is gone. 409 once it is being carried out, or is settled."""
    await handlers.withdraw(request, uow, actor=SUBJECT)
    return (await showing(request.tenant_id, uow)).followed(request)
