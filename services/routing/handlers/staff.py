"""Who is there to answer: tenants and users as they are heard of, presence, and what an agent may be given."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from services.routing import store
from services.routing.domain import taken_back, unoffered
from services.routing.handlers.dispatch import Dispatch
from services.routing.models import Agent
from services.routing.store import User
from shared.db import UnitOfWork
from shared.events.gateway import TenantChanged, UserChanged
from shared.events.routing import PresenceChanged
from shared.http import NotFound

SERVING: Final = frozenset({"agent", "supervisor", "admin"})
"""The roles whose holders answer customers."""

ONLINE: Final = "online"
OFFLINE: Final = "offline"


async def keep_tenants(events: Sequence[TenantChanged], uow: UnitOfWork) -> None:
    """Keep what is to be known of each tenant, and let it have its default queue."""
    await store.hold(uow.tenants.union(event.tenant_id for event in events), uow.session)
    await store.keep_tenants(events, uow.now, uow.session)


async def keep_agents(events: Sequence[UserChanged], uow: UnitOfWork) -> None:
    """Whoever is active and has a role that serves is an agent; whoever no longer does gives all back."""
    tenants = {event.tenant_id for event in events}
    dispatch = await Dispatch.begin(tenants, uow)
    known = await store.users({event.user_id for event in events}, tenants, uow.session)
    changed: dict[UUID, User] = {}
    gone: set[UUID] = set()
    for event in events:
        before = changed.get(event.user_id) or known.get(event.user_id)
        if before is None or before.user_version < event.version:
            user = changed[event.user_id] = _user(event, before)
            # Who is back before this is over has given all back nevertheless.
            gone |= set() if user.serves else {user.id}
    if not changed:
        return
    await store.keep_users(changed.values(), uow.now, uow.session)
    left = [user for user in changed.values() if user.id in gone and user.id in known and known[user.id].serves]
    for user in left:
        if known[user.id].status != OFFLINE:
            _tell_presence(user, uow)
    await _take_back(dispatch, {user.tenant_id for user in left}, {user.id for user in left}, uow)
    await dispatch.settle()


async def change_presence(tenant_id: UUID, agent_id: UUID, status: str, uow: UnitOfWork) -> Agent:
    """Come, go, or be away; who goes gives all back, who is away keeps what he has and gets nothing new.

    Raises `NotFound`.
    """
    dispatch = await Dispatch.begin([tenant_id], uow)
    agent = await store.agent(tenant_id, agent_id, uow.session)
    if agent is None:
        raise NotFound
    if agent.status == status:
        return agent
    agent.status = status
    await uow.session.flush()
    _tell_presence(agent, uow)
    if status == ONLINE:
        dispatch.stir(tenant_id)
    else:
        await _take_back(dispatch, [tenant_id], [agent_id], uow, offers_only=status != OFFLINE)
    await dispatch.settle()
    await uow.session.refresh(agent)
    return agent


async def change_agent(agent: Agent, changes: Mapping[str, Any], uow: UnitOfWork) -> None:
    """Change what he may be given; what he has, he keeps."""
    dispatch = await Dispatch.begin([agent.tenant_id], uow)
    if not uow.change(agent, changes):
        return
    await uow.session.flush()
    dispatch.stir(agent.tenant_id)
    await dispatch.settle()
    await uow.session.refresh(agent)


async def _take_back(
    dispatch: Dispatch,
    tenants: Collection[UUID],
    agents: Collection[UUID],
    uow: UnitOfWork,
    *,
    offers_only: bool = False,
) -> None:
    """What these agents are asked waits for others, and so does what they answer."""
    if not agents:
        return
    for case in await store.asked_of(tenants, agents, uow.session):
        dispatch.put(case, unoffered(case))
    if offers_only:
        return
    for case in await store.held_by(tenants, agents, uow.session):
        dispatch.put(case, taken_back(case))


def _user(event: UserChanged, before: User | None) -> User:
    serves = event.active and event.role in SERVING
    status = before.status if before is not None and serves else OFFLINE
    return User(event.user_id, event.tenant_id, serves, status, event.version)


def _tell_presence(agent: Agent | User, uow: UnitOfWork) -> None:
    told = PresenceChanged(tenant_id=agent.tenant_id, agent_id=agent.id, status=agent.status, changed_at=uow.now)
    uow.emit(told)
