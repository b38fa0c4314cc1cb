"""A request as it is shown to the DPO, and to the person whose it is."""

from typing import Any
from uuid import UUID

from fastapi import Response

from services.privacy import handlers, store
from services.privacy.domain.deadlines import is_late
from services.privacy.domain.package.words import authority, language
from services.privacy.models import AuditEntry, Request
from services.privacy.schemas import AuthorityShown, FollowedRequest, RequestListed, RequestShown, RequestTaken, Step
from shared.db import UnitOfWork
from shared.http import Invalid

_PAGE = 200


class Showing:
    """How a tenant's requests are shown at this moment."""

    def __init__(self, authority_shown: AuthorityShown, controller: str | None, uow: UnitOfWork) -> None:
        self._authority = authority_shown
        self._controller = controller
        self._uow = uow

    def followed(self, request: Request) -> FollowedRequest:
        return FollowedRequest(**self._fields(request, FollowedRequest))

    def listed(self, request: Request) -> RequestListed:
        return RequestListed(**self._fields(request, RequestListed))

    async def shown(self, request: Request) -> RequestShown:
        """With its history."""
        return RequestShown(**self._fields(request, RequestListed), history=await self._history(request))

    async def _history(self, request: Request) -> list[Step]:
        newest_first: list[AuditEntry] = []
        before: int | None = None
        while page := await store.list_entries(
            request.tenant_id, self._uow.session, request_id=request.id, before=before, limit=_PAGE
        ):
            newest_first += page
            before = page[-1].seq
        return [Step(at=one.at, actor=one.actor, action=one.action, details=one.details) for one in newest_first[::-1]]

    def _fields(self, request: Request, shape: type[FollowedRequest]) -> dict[str, Any]:
        is_settled = request.settled_at is not None
        is_answered = is_settled or request.answered_at is not None
        fields: dict[str, Any] = {name: getattr(request, name, None) for name in shape.model_fields}
        return fields | {
            "type": request.right,
            "overdue": not is_answered and is_late(request.due_at, self._uow.now),
            "authority": self._authority if is_settled else None,
            "controller": self._controller if request.state == "redirected_to_controller" else None,
        }


async def showing(tenant_id: UUID, uow: UnitOfWork) -> Showing:
    """How this tenant's requests are shown; raises `NotFound` while the tenant is not known here."""
    tenant = await handlers.known_tenant(tenant_id, uow)
    settings = await store.settings(tenant.tenant_id, uow.session)
    name, url = authority(tenant.legal_regime, tenant.country, language(tenant.locale))
    return Showing(AuthorityShown(name=name, url=url), settings.controller if settings else None, uow)


def taken(request: Request, token: str) -> RequestTaken:
    """What who asks is told, once."""
    fields: dict[str, Any] = {
        name: getattr(request, name) for name in RequestTaken.model_fields.keys() - {"tracking_token"}
    }
    return RequestTaken(**fields, tracking_token=token)


def wrong_code() -> Response:
    """Answered and not raised: the try counts."""
    return Invalid("The code is not right, or its tries or its time are over.", slug="wrong-code").to_response()
