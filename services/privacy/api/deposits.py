"""The door at which services deposit what they hold: what opens with the request's key needs no other proof."""

import re
from uuid import UUID

from fastapi import Request, Response
from starlette.routing import Route, Router

from services.privacy import handlers
from services.privacy.api.callers import office
from shared.http import Desk, Door, NotFound
from shared.rights import PART_BYTES, PARTICIPANTS, Place

_NAMES = ("tenant_id", "request_id", "service", "attempt", "number")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


async def deposit(request: Request) -> Response:
    """Take one part. 204 when it is durable; 404 when it does not open; 409 when nothing is collected any more, or
    not in this attempt."""
    place = _place(request)
    sealed = await request.body()
    desk: Desk = request.app.state.desk
    async with desk.database.unit_of_work([place.tenant_id]) as uow:
        key = await handlers.find_key(place, (await office(request)).sealer, uow)
    opened = await handlers.open_deposit(place, key, sealed)
    async with desk.database.unit_of_work([place.tenant_id]) as uow:
        await handlers.take_deposit(place, opened, uow)
    return Response(status_code=204)


def _place(request: Request) -> Place:
    tenant_id, request_id, service, *counted = (request.path_params[name] for name in _NAMES)
    if service not in PARTICIPANTS or not all(map(_NUMBER.fullmatch, counted)):
        raise NotFound
    try:
        return Place(UUID(tenant_id), UUID(request_id), service, *map(int, counted))
    except ValueError:
        raise NotFound from None


deposits = Door(
    Router(
        [Route("/deposits/{tenant_id}/{request_id}/{service}/{attempt}/{number}", deposit, methods=["PUT"])],
        redirect_slashes=False,
    ),
    body_bytes=PART_BYTES,
)
