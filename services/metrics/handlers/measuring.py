"""Measuring: what is heard of a conversation is measured soon after, and everything is measured anew on demand."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from services.metrics import store
from services.metrics.domain import Calendar, Fact, Measure, measures_of
from services.metrics.store import Held, Which
from shared.db import Database, UnitOfWork, is_conflict, is_outage
from shared.telemetry import describe

log = structlog.get_logger()

AT_ONCE: Final = 50
"""Conversations that are measured in one transaction."""
_LOOKED_AT: Final = 4 * AT_ONCE
"""So that several processes find something to do for each."""
MOST_FACTS: Final = 20_000
"""So many facts are read in one transaction at most, unless a single conversation has more."""
IDLE_SECONDS: Final = 0.5
AWAY_SECONDS: Final = 2
PUT_OFF: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Remeasured:
    """How it came out when everything was measured anew."""

    conversations: int = 0
    measures: int = 0
    different: int = 0
    """Conversations of which something else was measured before, though all that was heard of them was measured."""
    unmeasurable: tuple[Which, ...] = ()
    """Those that could not be measured; what was measured of them before stands."""

    def __add__(self, other: "Remeasured") -> "Remeasured":
        return Remeasured(
            self.conversations + other.conversations,
            self.measures + other.measures,
            self.different + other.different,
            self.unmeasurable + other.unmeasurable,
        )


async def measure_continually(database: Database) -> None:
    """Measure what is due until cancelled, beside other processes; a database that is away does not end it."""
    while True:
        try:
            full = await measure_due(database, datetime.now(UTC)) >= AT_ONCE
        except Exception as failure:
            if not is_outage(failure):
                raise
            log.warning("measuring is put off", reason=describe(failure))
            await asyncio.sleep(AWAY_SECONDS)
        else:
            await asyncio.sleep(0 if full else IDLE_SECONDS)


async def measure_due(database: Database, now: datetime) -> int:
    """Measure some of the conversations that are due at `now`; how many were."""
    async with database.unit_of_work(()) as uow:
        due = await store.due(now, uow.session, most=_LOOKED_AT)
    if not due:
        return 0
    try:
        return await _measure(due, database, now)
    except Exception as failure:
        if is_outage(failure):
            raise
        log.warning("conversations could not be measured together", reason=describe(failure), exc_info=failure)
        return await _measure_one_by_one(due[:AT_ONCE], database, now)


async def _measure(due: Sequence[Which], database: Database, now: datetime) -> int:
    async with database.unit_of_work({which.tenant_id for which in due}, now=now) as uow:
        # Somebody else may have measured it just before.
        tried = await store.try_to_hold(due, uow.session, most=AT_ONCE)
        held = [each for each in tried if each.due_at is not None and each.due_at <= now]
        if not held:
            return 0
        bounded = _bounded(held)
        measured = await _measure_held(bounded, uow)
        await store.settle(bounded, measured.facts, uow.now, uow.session)
        return len(bounded)


async def _measure_one_by_one(due: Sequence[Which], database: Database, now: datetime) -> int:
    """One that cannot be measured must not keep the others from it: it is put off, and told of."""
    for which in due:
        try:
            await _measure([which], database, now)
        except Exception as failure:
            if is_outage(failure):
                raise
            log.warning("a conversation could not be measured", reason=describe(failure), exc_info=failure)
            async with database.unit_of_work([which.tenant_id]) as uow:
                await store.put_off(which, now + PUT_OFF, uow.session)
    return len(due)


async def remeasure_all(database: Database) -> Remeasured:
    """Measure everything anew and put right what differs, tenant by tenant, while events go on arriving."""
    async with database.unit_of_work(()) as uow:
        tenants = await store.measured_tenants(uow.session)
    total = Remeasured()
    for tenant_id in tenants:
        after: UUID | None = None
        while portion := await _next_portion(tenant_id, after, database):
            total += await _remeasure_all_that_can_be(portion, database)
            after = portion[-1].conversation_id
    return total


async def _next_portion(tenant_id: UUID, after: UUID | None, database: Database) -> list[Which]:
    async with database.unit_of_work([tenant_id]) as uow:
        return await store.next_conversations(tenant_id, after, uow.session, most=AT_ONCE, facts=MOST_FACTS)


async def _remeasure_all_that_can_be(portion: Sequence[Which], database: Database) -> Remeasured:
    """One that cannot be measured must not keep the others from it: they are measured one by one, and it is named."""
    try:
        return await _insist(partial(_remeasure, portion, database))
    except Exception as failure:
        if is_outage(failure):
            raise
        if len(portion) == 1:
            log.warning("a conversation could not be measured", reason=describe(failure), exc_info=failure)
            return Remeasured(conversations=1, unmeasurable=tuple(portion))
    total = Remeasured()
    for which in portion:
        total += await _remeasure_all_that_can_be([which], database)
    return total


async def _remeasure(portion: Sequence[Which], database: Database) -> Remeasured:
    """One transaction, so that whoever reads meanwhile sees all figures."""
    async with database.unit_of_work({which.tenant_id for which in portion}) as uow:
        held = await store.hold(portion, uow.session)
        measured = await _measure_held(held, uow)
        # Whoever was not yet measured by all that is known, may well come out different.
        clear = {each.which for each in held if each.due_at is None}
        if await store.is_to_be_marked(portion[0].tenant_id, uow.session):
            clear.clear()
        clear &= await store.settle(held, measured.facts, uow.now, uow.session)
    return Remeasured(
        conversations=len(held),
        measures=sum(map(len, measured.made.values())),
        different=sum(measured.before.get(which, set()) != measured.made[which] for which in clear),
    )


async def _insist(remeasure: Callable[[], Awaitable[Remeasured]]) -> Remeasured:
    """Do it again while somebody else, who measures the same, is in the way; raises what else goes wrong."""
    while True:
        try:
            return await remeasure()
        except Exception as failure:
            if not is_conflict(failure):
                raise
            await asyncio.sleep(IDLE_SECONDS)


class _Measured(NamedTuple):
    """By which facts conversations were measured, what was measured of them before, and what is now."""

    facts: Mapping[Which, Sequence[Fact]]
    before: Mapping[Which, set[Measure]]
    made: Mapping[Which, set[Measure]]


async def _measure_held(held: Sequence[Held], uow: UnitOfWork) -> _Measured:
    """Measure them, and replace what differs."""
    conversations = [each.which for each in held]
    facts = await store.facts_of(conversations, uow.session)
    calendars = await store.calendars({which.tenant_id for which in conversations}, uow.session)
    before = await store.measures_of(conversations, uow.session)
    # A long conversation takes longer than others should wait for the loop.
    made = await asyncio.to_thread(_made, conversations, facts, calendars)
    gone = [measure for which in conversations for measure in before.get(which, set()) - made[which]]
    new = [measure for which in conversations for measure in made[which] - before.get(which, set())]
    if gone:
        await store.remove(gone, uow.session)
    if new:
        await store.add(sorted(new, key=lambda measure: (measure.fact_id, measure.metric)), uow.session)
    return _Measured(facts, before, made)


def _made(
    conversations: Sequence[Which], facts: Mapping[Which, Sequence[Fact]], calendars: Mapping[UUID, Calendar]
) -> dict[Which, set[Measure]]:
    return {which: measures_of(facts.get(which, ()), calendars[which.tenant_id]) for which in conversations}


def _bounded(held: Sequence[Held]) -> list[Held]:
    """The first ones, which have not too many facts together."""
    bounded: list[Held] = []
    facts = 0
    for each in held:
        facts += each.facts
        if bounded and facts > MOST_FACTS:
            break
        bounded.append(each)
    return bounded
