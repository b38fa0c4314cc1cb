"""Settling what a person asked for: it is done, and he is told how it ended."""

from services.privacy import store
from services.privacy.domain.notices import outcome_words
from services.privacy.domain.requests import State
from services.privacy.handlers.notices import tell
from services.privacy.handlers.requests import move
from services.privacy.models import Request
from shared.db import UnitOfWork


async def settle(request: Request, to: State, uow: UnitOfWork, *, actor: str) -> None:
    """End an approved request of which nothing is left to be done, and tell the person; raises `Conflict`."""
    await move(request, "delivering", uow, actor=actor)
    await move(request, to, uow, actor=actor)
    tenant = await store.tenant(request.tenant_id, uow.session)
    if tenant is None or request.outcome is None:
        raise LookupError("a settled request has a tenant and an outcome")
    words = outcome_words(request.outcome, request.locale or tenant.locale)
    said = " ".join(filter(None, (words, request.reason)))
    await tell(request, "completed", {"outcome": said}, uow)
