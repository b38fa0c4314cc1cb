"""A request as it is shown to the DPO, and to the person whose it is."""

from typing import Any
from uuid import UUID

from services.privacy import store
from services.privacy.domain.package.words import authority, language
from services.privacy.models import Request
from services.privacy.schemas import AuthorityShown, FollowedRequest, RequestListed, RequestShown, Step
from shared.db import UnitOfWork
from shared.http import NotFound

_LONGEST_HISTORY = 500


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
        entries = await store.list_entries(
            request.tenant_id, self._uow.session, request_id=request.id, before=None, limit=_LONGEST_HISTORY
        )
        history = [
            Step(at=one.at, actor=one.actor, action=one.action, details=one.details) for one in reversed(entries)
        ]
        return RequestShown(**self._fields(request, RequestListed), history=history)

    def _fields(self, request: Request, shape: type[FollowedRequest]) -> dict[str, Any]:
        is_settled = request.settled_at is not None
        fields: dict[str, Any] = {name: getattr(request, name, None) for name in shape.model_fields}
        return fields | {
            "type": request.right,
            "overdue": not is_settled and self._uow.now > request.due_at,
            "authority": self._authority if is_settled else None,
            "controller": self._controller if request.state == "redirected_to_controller" else None,
        }


async def showing(tenant_id: UUID, uow: UnitOfWork) -> Showing:
    """How this tenant's requests are shown; raises `NotFound` while the tenant is not known here."""
    tenant = await store.tenant(tenant_id, uow.session)
    if tenant is None:
        raise NotFound("The tenant is not known here yet.")
    settings = await store.settings(tenant.tenant_id, uow.session)
    name, url = authority(tenant.legal_regime, tenant.country, language(tenant.locale))
    return Showing(AuthorityShown(name=name, url=url), settings.controller if settings else None, uow)
