"""A tenant's counter as routing keeps it: agents come and go, conversations begin, and who answers is looked up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from services.routing import handlers
from services.routing.app import service
from services.routing.handlers import WithdrawOffer
from services.routing.models import Agent, Case, Offer
from shared.db import Database
from shared.events import Event
from shared.events.gateway import TenantChanged, UserChanged
from shared.ids import new_id
from tests.support.conversations import Conversation
from tests.support.events import NOON
from tests.support.hearing import hear
from tests.support.outbox import said

# What must be so after every transaction, as rows that must not be there.
BROKEN_PROMISES = {
    "the load is what is held": """
        SELECT a.id FROM agents a WHERE a.tenant_id = :tenant AND a.load <> (
          SELECT coalesce(sum(c.weight), 0) FROM cases c WHERE coalesce(c.agent_id, c.offered_to) = a.id)""",
    "an open offer is of the case that is offered": """
        SELECT o.id FROM offers o LEFT JOIN cases c ON c.offer_id = o.id AND c.offered_to = o.agent_id
        WHERE o.tenant_id = :tenant AND (o.state = 'open') <> (c.conversation_id IS NOT NULL)""",
    "who is not answered is in a queue": """
        SELECT c.conversation_id FROM cases c LEFT JOIN queues q ON q.id = c.queue_id
        WHERE c.tenant_id = :tenant AND c.status = 'open' AND c.agent_id IS NULL AND q.id IS NULL""",
    "what is answered is not offered": """
        SELECT conversation_id FROM cases
        WHERE tenant_id = :tenant AND agent_id IS NOT NULL AND (offered_to IS NOT NULL OR status = 'resolved')""",
    "only who is online is asked": """
        SELECT c.conversation_id FROM cases c JOIN agents a ON a.id = c.offered_to
        WHERE c.tenant_id = :tenant AND (a.status <> 'online' OR NOT a.serves)""",
    "nobody waits while somebody could answer": """
        SELECT c.conversation_id FROM cases c JOIN agents a USING (tenant_id)
        WHERE c.tenant_id = :tenant AND c.status = 'open' AND c.agent_id IS NULL AND c.offer_id IS NULL
          AND a.status = 'online' AND a.serves AND a.load + c.weight <= a.capacity
          AND (a.queue_ids = '{}' OR c.queue_id = ANY (a.queue_ids)) AND NOT EXISTS (
            SELECT FROM refusals r
            WHERE r.conversation_id = c.conversation_id AND r.agent_id = a.id AND NOT r.missed)""",
}


def tenant_changed(tenant_id: UUID, **changes: Any) -> TenantChanged:
    """A bakery in São Paulo."""
    fields: dict[str, Any] = {
        "tenant_id": tenant_id,
        "name": "Padaria Sol",
        "slug": "padaria-sol",
        "country": "BR",
        "time_zone": "America/Sao_Paulo",
        "locale": "pt-BR",
        "legal_regime": "lgpd",
        "role": "controller",
        "version": 1,
        "changed_at": NOON,
    }
    return TenantChanged(**fields | changes)


def user_changed(tenant_id: UUID, user_id: UUID, **changes: Any) -> UserChanged:
    """An agent called Ana."""
    fields: dict[str, Any] = {
        "tenant_id": tenant_id,
        "user_id": user_id,
        "name": "Ana",
        "role": "agent",
        "active": True,
        "version": 1,
        "changed_at": NOON,
    }
    return UserChanged(**fields | changes)


@dataclass(frozen=True)
class Counter:
    """What happens at one tenant's counter, at noon unless another moment is told."""

    database: Database
    tenant_id: UUID = field(default_factory=new_id)

    async def hear(self, *events: Event, now: datetime = NOON) -> None:
        await hear(service, self.database, *events, now=now)

    async def agent(self, status: str = "online", *, now: datetime = NOON, **changes: Any) -> UUID:
        """An agent who accepts by himself, unless `changes` tell otherwise."""
        agent_id = new_id()
        await self.hear(user_changed(self.tenant_id, agent_id), now=now)
        await self.change(agent_id, now=now, **{"auto_accept": True} | changes)
        if status != "offline":
            await self.presence(agent_id, status, now=now)
        return agent_id

    async def change(self, agent_id: UUID, *, now: datetime = NOON, **changes: Any) -> None:
        async with self.database.unit_of_work([self.tenant_id], now=now) as uow:
            agent = await uow.session.scalar(select(Agent).where(Agent.id == agent_id))
            assert agent is not None
            await handlers.change_agent(agent, changes, uow)

    async def presence(self, agent_id: UUID, status: str, *, now: datetime = NOON) -> None:
        async with self.database.unit_of_work([self.tenant_id], now=now) as uow:
            await handlers.change_presence(self.tenant_id, agent_id, status, uow)

    async def begin(self, number: int = 1, *, now: datetime = NOON, **where: Any) -> list[Conversation]:
        """So many conversations, each a second after the one before."""
        begun = [Conversation(self.tenant_id, **where) for _ in range(number)]
        await self.hear(*(one.opened(place) for place, one in enumerate(begun, 1)), now=now)
        return begun

    async def answer(self, offer: Offer, state: Any, *, now: datetime = NOON) -> None:
        async with self.database.unit_of_work([self.tenant_id], now=now) as uow:
            await handlers.answer_offer(self.tenant_id, offer.agent_id, offer.id, state, uow)

    async def expire(self, offer: Offer) -> None:
        async with self.database.unit_of_work([self.tenant_id], now=offer.expires_at) as uow:
            await handlers.withdraw_offer(WithdrawOffer(tenant_id=self.tenant_id, offer_id=offer.id), uow)

    async def assign(self, conversation: Conversation, agent_id: UUID | None, *, only_for: UUID | None = None) -> None:
        async with self.database.unit_of_work([self.tenant_id], now=NOON) as uow:
            await handlers.assign(self.tenant_id, conversation.conversation_id, agent_id, uow, only_for=only_for)

    async def case(self, conversation: Conversation) -> Case:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            query = select(Case).where(Case.conversation_id == conversation.conversation_id)
            case = await uow.session.scalar(query)
        assert case is not None
        return case

    async def owners(self, conversations: Iterable[Conversation]) -> list[UUID | None]:
        """Who answers each of them."""
        return [(await self.case(one)).agent_id for one in conversations]

    async def load(self, agent_id: UUID) -> int:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            load = await uow.session.scalar(select(Agent.load).where(Agent.id == agent_id))
        assert load is not None
        return load

    async def offers(self, state: str = "open") -> Sequence[Offer]:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            query = select(Offer).where(Offer.tenant_id == self.tenant_id, Offer.state == state).order_by(Offer.id)
            return (await uow.session.scalars(query)).all()

    async def said(self, *kinds: type[Event]) -> list[Any]:
        """What routing said, of these kinds or of all."""
        return [event for event in await said(self.database, self.tenant_id) if not kinds or isinstance(event, kinds)]

    async def broken_promises(self) -> list[str]:
        """Which of the promises do not hold just now."""
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            found = {
                promise: (await uow.session.execute(text(query), {"tenant": self.tenant_id})).all()
                for promise, query in BROKEN_PROMISES.items()
            }
        return [promise for promise, rows in found.items() if rows]
