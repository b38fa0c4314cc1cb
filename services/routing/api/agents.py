"""Agents by API: what they may be given, and whether they are there."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.routing import handlers, store
from services.routing.api.callers import ForOneselfOrOthers, ReadRouting, WriteRouting, check_whom
from services.routing.models import Agent
from services.routing.schemas import AgentChange, AgentShown, Presence
from shared.db import UnitOfWork
from shared.http import Caller, Invalid, NotFound, Page, Pages, TransactionRoute, Work, check_version, tell_version

agents = APIRouter(prefix="/agents", route_class=TransactionRoute, tags=["Routing"])


@agents.get("", summary="List agents")
async def list_agents(caller: ReadRouting, paging: Pages, uow: Work) -> Page[AgentShown]:
    """The active users whose role serves customers."""
    rows = await store.list_agents(caller.tenant_id, uow.session, after=paging.after_id(), limit=paging.more)
    return paging.page(rows, _show, lambda row: (row.id,))


@agents.get("/{agent_id}", summary="Read an agent")
async def read_agent(agent_id: UUID, caller: ReadRouting, uow: Work, response: Response) -> AgentShown:
    agent = await _agent(caller, agent_id, uow)
    tell_version(response, agent.version)
    return _show(agent)


@agents.patch("/{agent_id}", summary="Change an agent")
async def change_agent(
    agent_id: UUID, body: AgentChange, caller: WriteRouting, uow: Work, request: Request, response: Response
) -> AgentShown:
    """What he has, he keeps; what he may be given besides, he is given at once."""
    agent = await _agent(caller, agent_id, uow, for_update=True)
    check_version(request, agent.version)
    changes = body.model_dump(exclude_unset=True)
    await _check_queues(caller, changes.get("queue_ids", []), uow)
    await handlers.change_agent(agent, changes, uow)
    tell_version(response, agent.version)
    return _show(agent)


@agents.put("/{agent_id}/presence", summary="Come, go, or be away")
async def change_presence(
    agent_id: UUID, body: Presence, caller: ForOneselfOrOthers, uow: Work, response: Response
) -> AgentShown:
    """Oneself; others with `routing:write`. Who goes offline gives all back, and it waits on with its age."""
    check_whom(caller, agent_id)
    agent = await handlers.change_presence(caller.tenant_id, agent_id, body.status, uow)
    tell_version(response, agent.version)
    return _show(agent)


async def _agent(caller: Caller, agent_id: UUID, uow: UnitOfWork, *, for_update: bool = False) -> Agent:
    if for_update:
        await store.hold([caller.tenant_id], uow.session)
    agent = await store.agent(caller.tenant_id, agent_id, uow.session)
    if agent is None:
        raise NotFound
    return agent


async def _check_queues(caller: Caller, queue_ids: list[UUID], uow: UnitOfWork) -> None:
    known = await store.known_queues(caller.tenant_id, queue_ids, uow.session) if queue_ids else set()
    errors = [
        {"pointer": f"/queue_ids/{place}", "detail": "is no queue"}
        for place, queue_id in enumerate(queue_ids)
        if queue_id not in known
    ]
    if errors:
        raise Invalid(errors=errors)


def _show(row: Agent) -> AgentShown:
    fields: dict[str, Any] = {name: getattr(row, name) for name in AgentShown.model_fields}
    return AgentShown(**fields)
