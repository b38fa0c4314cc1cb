"""Who may ask what of privacy, the request that he means, and what the office keeps secrets with."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header
from fastapi import Request as HttpRequest

from services.privacy import handlers, store
from services.privacy.models import Request
from services.privacy.settings import Settings
from shared.http import PUBLIC_SCOPE, Caller, NotFound, Work, requires
from shared.service import Kernel

ReadPrivacy = Annotated[Caller, Depends(requires("privacy:read"))]
WritePrivacy = Annotated[Caller, Depends(requires("privacy:write"))]
RequestPrivacy = Annotated[Caller, Depends(requires("privacy:request"))]
Visitor = Annotated[Caller, Depends(requires(PUBLIC_SCOPE))]
"""Somebody of whom nothing is known but at which tenant he asks."""

Token = Annotated[str, Header(description="The `tracking_token` of the request.")]


async def office(request: HttpRequest) -> Kernel[Settings]:
    """What the process seals and fingerprints with."""
    kernel: Kernel[Settings] = request.app.state.office
    return kernel


InOffice = Annotated[Kernel[Settings], Depends(office)]


async def _held(request_id: UUID, caller: WritePrivacy, uow: Work) -> Request:
    return await find_request(caller, request_id, uow, for_update=True)


async def _asked(request_id: UUID, caller: RequestPrivacy, uow: Work) -> Request:
    return await find_request(caller, request_id, uow, for_update=True)


async def _followed(request_id: UUID, caller: Visitor, uow: Work, x_tracking_token: Token = "") -> Request:
    return await handlers.resume_request(caller.tenant_id, request_id, x_tracking_token, uow)


async def _tracked(request_id: UUID, caller: Visitor, uow: Work, x_tracking_token: Token = "") -> Request:
    return await handlers.resume_request(caller.tenant_id, request_id, x_tracking_token, uow, for_update=True)


async def find_request(caller: Caller, request_id: UUID, uow: Work, *, for_update: bool = False) -> Request:
    """A request of the caller's tenant; raises `NotFound`."""
    found = await store.request(caller.tenant_id, request_id, uow.session, for_update=for_update)
    if found is None:
        raise NotFound
    return found


Held = Annotated[Request, Depends(_held)]
"""A request on which the DPO decides, locked."""
Asked = Annotated[Request, Depends(_asked)]
"""A request that the staff takes forward for a person, locked."""
Followed = Annotated[Request, Depends(_followed)]
"""The request of whoever has its token, to be read."""
Tracked = Annotated[Request, Depends(_tracked)]
"""The same to be changed, locked."""
