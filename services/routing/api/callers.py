"""Who may ask what of routing."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from shared.http import Caller, Forbidden, requires

ReadConversations = Annotated[Caller, Depends(requires("conversations:read"))]
ReadRouting = Annotated[Caller, Depends(requires("routing:read"))]
WriteRouting = Annotated[Caller, Depends(requires("routing:write"))]
WritePresence = Annotated[Caller, Depends(requires("presence:write"))]

PRESENCE = "presence:write"
ROUTING = "routing:write"


async def _for_oneself_or_others(request: Request) -> Caller:
    caller: Caller = request.state.caller
    if caller.scopes.isdisjoint({PRESENCE, ROUTING}):
        raise Forbidden(f"The scope {PRESENCE} is needed.")
    return caller


_for_oneself_or_others.scope = PRESENCE  # type: ignore[attr-defined]

ForOneselfOrOthers = Annotated[Caller, Depends(_for_oneself_or_others)]
"""Who may decide for himself, or with `routing:write` for others; `check_whom` tells which."""


def check_whom(caller: Caller, agent_id: UUID | None) -> None:
    """Raise `Forbidden` when the caller may not decide for this agent."""
    alone = himself_alone(caller)
    if alone is not None and agent_id != alone:
        raise Forbidden(f"The scope {ROUTING} is needed to decide for others.")


def himself_alone(caller: Caller) -> UUID | None:
    """The one agent for whom the caller may decide; None when he may for all."""
    return None if ROUTING in caller.scopes else as_agent(caller)


def as_agent(caller: Caller) -> UUID:
    """The caller's id as an agent's; of a caller who is no agent, one that nobody has."""
    try:
        return UUID(caller.id)
    except ValueError:
        return UUID(int=0)
