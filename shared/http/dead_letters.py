"""Dead letters by API: what could not take effect in this service, and giving it another try."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from shared.bus.consumer import Hears
from shared.bus.dead_letters import StillDeadError, list_dead_letters, replay_dead_letter
from shared.bus.retry import Poison
from shared.db import DeadLetter, is_outage
from shared.http.auth import ReadOperations, WriteOperations
from shared.http.edge import TransactionRoute, Work
from shared.http.pages import Page, Pages
from shared.http.problems import Conflict, NotFound
from shared.telemetry import describe


class DeadLetterShown(BaseModel):
    """A dead letter without its content."""

    id: UUID
    event_id: UUID | None
    type: str | None
    topic: str
    partition: int
    offset: int
    reason: str
    attempts: int
    died_at: datetime


def dead_letters(hears: Hears, path: str) -> APIRouter:
    """The routes over the dead letters of the service that hears these events."""
    router = APIRouter(prefix=path, route_class=TransactionRoute, tags=["Operations"])

    @router.get("", summary="List dead letters")
    async def list_(caller: ReadOperations, paging: Pages, uow: Work) -> Page[DeadLetterShown]:
        """Events and jobs that could not take effect, oldest first; their content is not shown."""
        letters = await list_dead_letters(caller.tenant_id, uow, after=paging.after_id(), limit=paging.more)
        return paging.page(letters, _show, lambda letter: (letter.id,))

    @router.post("/{letter_id}/replays", status_code=204, summary="Replay a dead letter")
    async def replay(letter_id: UUID, caller: WriteOperations, uow: Work) -> None:
        """Give it to its handlers again. When it takes effect it is gone from the list; else 409 says why not."""
        try:
            found = await replay_dead_letter(caller.tenant_id, letter_id, hears, uow)
        except (StillDeadError, Poison) as still:
            raise Conflict(str(still), slug="still-dead") from still
        except Exception as failure:
            if is_outage(failure):
                raise
            raise Conflict(describe(failure), slug="still-dead") from failure
        if not found:
            raise NotFound

    return router


def _show(letter: DeadLetter) -> DeadLetterShown:
    fields: dict[str, Any] = {name: getattr(letter, name) for name in DeadLetterShown.model_fields}
    return DeadLetterShown(**fields)
