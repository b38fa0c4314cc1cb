"""One transaction's decisions about who answers: taken case by case, written and told in sets, and then matched.

Whatever lets somebody wait or lets an agent have room goes through here, so that none waits while one who could answer
has nothing to do.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Self
from uuid import UUID

from services.routing import store
from services.routing.domain import Case, Server, answered_by, match, offered_to, queue_for
from services.routing.handlers.telling import Change, told
from services.routing.store import LoadChange
from shared.db import Job, UnitOfWork
from shared.events import Event


class WithdrawOffer(Job):
    """The time of an offer is over."""

    type = "routing.withdraw-offer"

    offer_id: UUID


class Dispatch:
    """Decisions are put in one after the other; `settle` makes them so."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self._stirred: set[UUID] = set()
        self._changes: dict[UUID, Change] = {}
        self._causes: dict[UUID, Event] = {}

    @classmethod
    async def begin(cls, tenants: Iterable[UUID], uow: UnitOfWork) -> Self:
        """The only one who decides in these tenants until the end of the transaction."""
        # All of the transaction's at once: a batch comes in waves, and two that take tenants in turn would meet.
        await store.hold(uow.tenants.union(tenants), uow.session)
        return cls(uow)

    def put(self, before: Case, after: Case, *, unaccepted: str = "withdrawn", cause: Event | None = None) -> Case:
        """From `before` a case becomes `after`; its offer, if it ends without being accepted, is `unaccepted`.

        If it waits from now on, it does so since the latest thing heard of it. Returns it as it is then; the very case
        that it was is not written.
        """
        if after.in_line and after.queued_at is None:
            after = after._replace(queue_id=None, queued_at=after.told_at)
        key = after.conversation_id
        first = self._changes[key].before if key in self._changes else before
        change = self._changes[key] = Change(first, after, self._uow.now, unaccepted)
        if cause is not None:
            self._causes[key] = cause
        if change.waits_anew or before.holder != after.holder or before.status != after.status:
            self.stir(after.tenant_id)
        return after

    def stir(self, tenant_id: UUID) -> None:
        """Somebody may wait anew in this tenant, or an agent have room who had none."""
        self._stirred.add(tenant_id)

    def case(self, conversation_id: UUID) -> Case:
        """A case as it was put in last."""
        return self._changes[conversation_id].after

    async def queue(self) -> None:
        """Give a queue to those who wait anew."""
        waiting = [change for change in self._changes.values() if change.after.in_line and not change.after.queue_id]
        if not waiting:
            return
        tenants = {change.after.tenant_id for change in waiting}
        queues = await store.queues_of(tenants, self._uow.now, self._uow.session)
        for change in waiting:
            after = change.after._replace(queue_id=queue_for(change.after, queues[change.after.tenant_id]))
            self._changes[after.conversation_id] = replace(change, after=after)

    async def settle(self) -> None:
        """Write and tell what was decided; then give those who wait to the agents who have room."""
        await self.queue()
        await self._write()
        while self._stirred and (servers := await store.servers(self._stirred, self._uow.session)):
            room = sum(server.room for server in servers)
            line = await store.line(self._stirred, room, self._uow.session)
            for case, server in match(line, servers):
                self.put(case, self._given(case, server))
            await self._write()
            if len(line) < room:
                break

    def _given(self, case: Case, server: Server) -> Case:
        if server.auto_accept:
            return answered_by(case, server.id, self._uow.now)
        return offered_to(case, server.id, self._uow.new_id())

    async def _write(self) -> None:
        changes = [change for change in self._changes.values() if change.after is not change.before]
        self._changes.clear()
        if not changes:
            return
        session = self._uow.session
        await store.keep([change.after for change in changes], session)
        await self._write_offers(changes)
        await self._write_refusals(changes)
        if loads := _load_changes(changes):
            await store.change_loads(loads, session)
        for change in changes:
            for event in told(change):
                self._uow.emit(event, caused_by=self._causes.get(change.after.conversation_id))

    async def _write_offers(self, changes: Sequence[Change]) -> None:
        if ended := [over for change in changes if (over := change.ended_offer)]:
            await store.end_offers(ended, self._uow.now, self._uow.session)
        if new := [made for change in changes if (made := change.new_offer)]:
            await store.add_offers(new, self._uow.session)
            for offer in new:
                job = WithdrawOffer(tenant_id=offer.tenant_id, offer_id=offer.id)
                self._uow.schedule(job, key=f"offer:{offer.id}", due_at=offer.expires_at)

    async def _write_refusals(self, changes: Sequence[Change]) -> None:
        if forgotten := [change.after for change in changes if change.before.refusals and not change.after.refusals]:
            await store.forget_refusals(forgotten, self._uow.session)
        if new := [refusal for change in changes for refusal in change.new_refusals]:
            await store.add_refusals(new, self._uow.session)


def _load_changes(changes: Iterable[Change]) -> list[LoadChange]:
    """What each agent's load gains and loses, altogether."""
    weights: Counter[tuple[UUID, UUID]] = Counter()
    for before, after in ((change.before, change.after) for change in changes):
        if before.holder:
            weights[before.tenant_id, before.holder] -= before.weight
        if after.holder:
            weights[after.tenant_id, after.holder] += after.weight
    return [LoadChange(*key, weight) for key, weight in sorted(weights.items()) if weight]
