"""Settling what a person asked for: it is done, and he is told how it ended."""

from services.privacy.domain.notices import outcome_words
from services.privacy.domain.requests import State
from services.privacy.handlers.notices import tell
from services.privacy.handlers.requests import move, tenant_of
from services.privacy.models import Request
from shared.db import UnitOfWork


async def settle(request: Request, to: State, uow: UnitOfWork, *, actor: str) -> None:
    """End an approved request of which nothing is left to be done, and tell the person; raises `Conflict`."""
    await move(request, "delivering", uow, actor=actor)
    await move(request, to, uow, actor=actor)
    tenant = await tenant_of(request, uow)
    if request.outcome is None:
        raise LookupError("a settled request has an outcome")
    words = outcome_words(request.outcome, request.locale or tenant.locale)
    said = " ".join(filter(None, (words, request.reason)))
    await tell(request, "completed", {"outcome": said}, uow)


async def confirm(request: Request, uow: UnitOfWork, *, actor: str) -> None:
    """Tell the person of an approved request whether data about him is held (LGPD art. 19 I)."""
    is_held = request.subject_id is not None
    request.outcome = "data_held" if is_held else "no_data"
    await settle(request, "completed" if is_held else "completed_no_data", uow, actor=actor)
