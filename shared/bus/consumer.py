"""From the broker into the handlers: each event takes effect once, in its key's order, or is kept as a dead letter."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, TypeAlias
from uuid import NAMESPACE_OID, UUID, uuid5

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from shared.bus.kafka import START_SECONDS, Watch, end_subscription, incarnation, only_ours, subscription
from shared.bus.retry import Fuse, Poison, wait_before
from shared.bus.waves import waves
from shared.db import Database, DeadLetter, Statement, UnitOfWork, is_outage
from shared.events import HEADERS_READ, Event, UnreadableRecordError, read
from shared.ids import new_id
from shared.settings import ServiceSettings
from shared.telemetry import (
    BATCH_EVENTS,
    BATCH_SECONDS,
    BROKER_CONTACT,
    CONSUMER_LAG,
    DEAD_LETTERS,
    EVENT_SECONDS,
    EVENTS_HANDLED,
    FUSE_BLOWN,
    describe,
    is_sampled,
    span,
)

log = structlog.get_logger()

Handler = Callable[[Sequence[Any], UnitOfWork], Awaitable[None]]
"""`async def append_messages(events: Sequence[MessageReceived], uow)`: takes a set, works in sets, never commits."""

_Record: TypeAlias = ConsumerRecord[bytes, bytes]
Hears = Mapping[type[Event], Sequence[Handler]]

POLL_SECONDS = 0.5
MORE_SECONDS = 0.01
"""How long is waited for what came while a batch was handled; a broker that has it answers sooner."""
BEHIND_SECONDS = 0.005
"""Whoever takes longer for a batch finds more than what was asked ahead."""
AT_ONCE_SECONDS = 0.001
"""A poll that takes no longer found what was there already."""
COMMIT_SECONDS = 1.0
LOOK_SECONDS = 2.0
"""How often the broker is asked how much there is."""
DEAF_SECONDS = 30
"""How long a client may fail to deliver what the broker has; one that only lost its broker is well again much sooner,
and keeps its place in the group meanwhile."""

_CLAIM = Statement("""
INSERT INTO inbox (event_id) SELECT id FROM unnest(CAST(:ids AS uuid[])) AS id ORDER BY id
ON CONFLICT DO NOTHING RETURNING event_id
""")


@dataclass(slots=True)
class Delivery:
    """One record as it arrived, with the event that it holds, or why it holds none."""

    place: TopicPartition
    record: ConsumerRecord[bytes, bytes]
    event: Event | None = None
    unreadable: str | None = None
    attempts: int = 0

    @property
    def headers(self) -> dict[str, str]:
        return {name: value.decode(errors="replace") for name, value in self.record.headers if value is not None}

    @property
    def id(self) -> UUID:
        """The event's id; of a record that has none, one that every delivery of it has."""
        return _uuid(self.headers.get("ce_id")) or uuid5(NAMESPACE_OID, f"{self.place}|{self.record.offset}")


@dataclass(slots=True)
class Stall:
    """A partition that waits for its first event to be tried again."""

    queue: deque[Delivery]
    resume_at: float = field(default=0.0)


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hears events for one service for as long as it runs."""

    def __init__(self, service: str, hears: Hears, database: Database, settings: ServiceSettings) -> None:
        self._service = service
        self._hears = hears
        self._types = {event.type.encode() for event in hears}
        self._topics = sorted({event.topic() for event in hears})
        self._database = database
        self._settings = settings
        self._fuse = Fuse(in_a_row=settings.fuse_in_a_row, share=settings.fuse_share, window=settings.fuse_window)
        self._stalls: dict[TopicPartition, Stall] = {}
        self._done: dict[TopicPartition, int] = {}
        self._reached: dict[TopicPartition, int] = {}
        self._committed_at = 0.0
        self._drained_at = 0.0
        """When everything had been taken that the client had fetched."""
        self._handling = asyncio.Lock()
        self._kafka: AIOKafkaConsumer | None = None
        self._has_its_share = False
        """Of the partitions; while they are dealt, nobody knows his own."""
        self._leaving = False

    @property
    def fuse_blown(self) -> bool:
        return self._fuse.blown

    def leave(self) -> None:
        """Take no more, finish what was taken, and let `run` return."""
        self._leaving = True

    async def run(self) -> None:
        """Consume until told to leave or until the fuse blows; neither a broker nor a database that is away ends it."""
        failures = 0
        while self._goes_on:
            kafka = subscription(self._settings, group=f"balcao.{self._service}", client=f"balcao-{self._service}")
            try:
                with only_ours():
                    async with asyncio.timeout(START_SECONDS):
                        await kafka.start()
                    kafka.subscribe(self._topics, listener=self)
                    self._kafka = kafka
                    BROKER_CONTACT.set(1)
                    failures = 0
                    async with asyncio.TaskGroup() as group:
                        watching = group.create_task(self._watch(kafka))
                        await self._consume(kafka)
                        watching.cancel()
            except* (KafkaError, OSError) as errors:
                failures += 1
                BROKER_CONTACT.set(0)
                log.warning("the broker does not answer", reason=describe(errors.exceptions[0]), failures=failures)
                await asyncio.sleep(wait_before(failures, first=0.2, longest=5))
            finally:
                await end_subscription(kafka)
                self._kafka, self._has_its_share = None, False
                # Who subscribes anew begins where the group is.
                self._forget(self._reached.keys() | self._stalls.keys())
        if self._fuse.blown:
            FUSE_BLOWN.set(1)
            log.error("the fuse has blown: too many dead letters; nothing more is consumed until a restart")

    @property
    def _goes_on(self) -> bool:
        return not (self._leaving or self._fuse.blown)

    async def _consume(self, kafka: AIOKafkaConsumer) -> None:
        life = await self._life(kafka)
        behind = False
        while self._goes_on:
            records = await self._poll(kafka, behind=behind)
            if records and await self._life(kafka) != life:
                # Of the new log these are not the first: with them, later events would overtake earlier ones.
                log.warning("the broker began anew; everything is read again")
                return
            for place, run in records.items():
                self._reached.setdefault(place, run[0].offset)
            polled_at = time.monotonic()
            async with self._handling:
                await self._handle([_opened(place, one, self._types) for place, run in records.items() for one in run])
                await self._try_stalls()
            self._reached |= self._done
            await self._commit()
            if records:
                # What comes meanwhile is handled together, at the price of one.
                busy, gathers = time.monotonic() - polled_at, self._settings.gather_seconds
                behind = busy >= max(gathers, BEHIND_SECONDS)
                await asyncio.sleep(gathers - busy)
        await self._commit(at_once=True)

    async def _poll(self, kafka: AIOKafkaConsumer, *, behind: bool) -> Mapping[TopicPartition, Sequence[_Record]]:
        """What is there; to whoever is behind, all that came while he was busy.

        The client asks ahead, once: what it has is what came first after the last batch was taken, and no more.
        """
        most, began = self._settings.consume_max_records, time.monotonic()
        records: Mapping[TopicPartition, Sequence[_Record]] = await kafka.getmany(
            timeout_ms=int(self._patience() * 1000), max_records=most
        )
        missing = most - sum(map(len, records.values()))
        if missing:
            self._drained_at = time.monotonic()
        if not (records and behind and missing and self._drained_at - began < AT_ONCE_SECONDS):
            return records
        more = await kafka.getmany(timeout_ms=int(MORE_SECONDS * 1000), max_records=missing)
        return {place: [*records.get(place, ()), *more.get(place, ())] for place in {**records, **more}}

    async def _life(self, kafka: AIOKafkaConsumer) -> frozenset[str]:
        """Of a broker that forgets, the life it is in: positions mean nothing in another one."""
        return frozenset() if self._settings.broker_keeps_log else await incarnation(kafka)

    def _patience(self) -> float:
        if not self._stalls:
            return POLL_SECONDS
        return max(0.0, min(POLL_SECONDS, min(stall.resume_at for stall in self._stalls.values()) - time.monotonic()))

    # One batch, one transaction; where it fails, one event, one transaction.

    async def _handle(self, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        started = time.perf_counter()
        # What cannot be read takes its own way, so that what can be read stays together.
        for _, run in groupby(deliveries, key=lambda delivery: delivery.unreadable is None):
            await self._handle_run([delivery for delivery in run if not self._is_held_back(delivery)])
        BATCH_SECONDS.observe(time.perf_counter() - started)
        BATCH_EVENTS.observe(len(deliveries))

    def _is_held_back(self, delivery: Delivery) -> bool:
        """Whether an earlier one of its partition waits to be tried again; it then waits behind it."""
        stall = self._stalls.get(delivery.place)
        if stall is not None:
            stall.queue.append(delivery)
        return stall is not None

    async def _handle_run(self, deliveries: Sequence[Delivery]) -> None:
        if self._fuse.blown or not deliveries:
            return
        if deliveries[0].unreadable is None and await self._together(deliveries):
            return
        queues: dict[TopicPartition, deque[Delivery]] = defaultdict(deque)
        for delivery in deliveries:
            queues[delivery.place].append(delivery)
        for place, queue in queues.items():
            if not self._fuse.blown:
                await self._one_by_one(place, queue)

    async def _together(self, deliveries: Sequence[Delivery]) -> bool:
        """Whether all took effect in one transaction; false means that none did, and that it was not an outage."""
        failures = 0
        while True:
            try:
                await self._take_effect(deliveries)
            except Exception as failure:
                if not is_outage(failure):
                    log.warning("a batch failed", events=len(deliveries), reason=describe(failure), exc_info=failure)
                    return False
                failures += 1
                await self._wait_out(failure, failures)
            else:
                for delivery in deliveries:
                    self._done[delivery.place] = delivery.record.offset + 1
                return True

    async def _one_by_one(self, place: TopicPartition, queue: deque[Delivery]) -> None:
        while queue:
            delivery = queue[0]
            verdict = await self._try(delivery)
            if verdict is not None:
                self._stall(place, queue, verdict)
                return
            queue.popleft()
            self._done[place] = delivery.record.offset + 1
            if self._fuse.blown:
                return
        self._go_on_with(place)

    async def _try(self, delivery: Delivery) -> float | None:
        """None when the event is settled, with effect or as a dead letter; else how many seconds to wait."""
        if delivery.unreadable is not None:
            await self._bury(delivery, delivery.unreadable)
            return None
        try:
            await self._take_effect([delivery], alone=True)
        except Poison as poison:
            await self._bury(delivery, str(poison))
            return None
        except Exception as failure:
            delivery.attempts += 1
            settings = self._settings
            wait = wait_before(delivery.attempts, first=settings.retry_first_wait, longest=settings.retry_longest_wait)
            if is_outage(failure):
                delivery.attempts -= 1
                return wait
            if delivery.attempts < settings.retry_attempts:
                return wait
            log.warning("an event failed for good", exc_info=failure, type=delivery.headers.get("ce_type"))
            await self._bury(delivery, describe(failure))
        return None

    async def _take_effect(self, deliveries: Sequence[Delivery], *, alone: bool = False) -> None:
        events = {delivery.event.envelope.id: delivery.event for delivery in deliveries if delivery.event is not None}
        if not events:
            return
        with ExitStack() as spans:
            for event in events.values():
                if is_sampled(event.envelope.trace):
                    spans.enter_context(span(f"{self._service} hears {event.type}", parent=event.envelope.trace))
            fresh = [*events.values()] if not alone and await self._all_new(events) else await self._give_new(events)
        now = datetime.now(UTC)
        for kind, events_of_kind in _by_type(fresh).items():
            self._fuse.took_effect(kind, len(events_of_kind))
            EVENTS_HANDLED.labels(kind, "took effect").inc(len(events_of_kind))
            seconds = EVENT_SECONDS.labels(kind)
            for event in events_of_kind:
                seconds.observe((now - event.envelope.occurred_at).total_seconds())
        if repeated := len(deliveries) - len(fresh):
            EVENTS_HANDLED.labels("any", "repeated or not heard").inc(repeated)

    async def _all_new(self, events: Mapping[UUID, Event]) -> bool:
        """Let all take effect that are claimed only with the commit; whether they did, for none had before."""
        try:
            async with self._database.unit_of_work(_tenants(events), events=events) as uow:
                await give(self._hears, list(events.values()), uow)
        except Exception as failure:
            # One that is delivered again may fail in any way; and what fails by itself fails again.
            if is_outage(failure):
                raise
            return False
        return True

    async def _give_new(self, events: Mapping[UUID, Event]) -> Sequence[Event]:
        """Let those take effect that have not before; those."""
        async with self._database.unit_of_work(_tenants(events)) as uow:
            claimed = set((await uow.session.execute(_CLAIM, {"ids": list(events)})).scalars())
            fresh = [event for id_, event in events.items() if id_ in claimed]
            await give(self._hears, fresh, uow)
        return fresh

    # What cannot take effect.

    async def _bury(self, delivery: Delivery, reason: str) -> None:
        """Keep the event as a dead letter, claimed in the same transaction so that a redelivery changes nothing."""
        failures = 0
        while True:
            try:
                tenant_id = _uuid(delivery.headers.get("ce_tenantid"))
                async with self._database.unit_of_work([tenant_id] if tenant_id else ()) as uow:
                    if not (await uow.session.execute(_CLAIM, {"ids": [delivery.id]})).scalars().all():
                        return
                    uow.session.add(_dead_letter(delivery, tenant_id, reason, uow))
            except Exception as failure:
                if not is_outage(failure):
                    raise
                failures += 1
                await self._wait_out(failure, failures)
            else:
                break
        kind = delivery.headers.get("ce_type", "unknown")
        self._fuse.died(kind)
        DEAD_LETTERS.inc()
        EVENTS_HANDLED.labels(kind, "died").inc()
        log.error("an event became a dead letter", type=delivery.headers.get("ce_type"), reason=reason)

    def _stall(self, place: TopicPartition, queue: deque[Delivery], wait: float) -> None:
        self._stalls[place] = Stall(queue, time.monotonic() + wait)
        if self._kafka is not None and place in self._kafka.assignment():
            self._kafka.pause(place)

    def _go_on_with(self, place: TopicPartition) -> None:
        if self._stalls.pop(place, None) and self._kafka is not None and place in self._kafka.assignment():
            self._kafka.resume(place)

    async def _try_stalls(self) -> None:
        now = time.monotonic()
        for place, stall in list(self._stalls.items()):
            if stall.resume_at <= now and not self._fuse.blown:
                await self._one_by_one(place, stall.queue)

    @staticmethod
    async def _wait_out(failure: Exception, failures: int) -> None:
        log.warning("the database is away", reason=describe(failure), failures=failures)
        await asyncio.sleep(wait_before(failures, first=0.1, longest=5))

    # Where we are.

    async def _commit(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._kafka is None or not self._done or not (at_once or now - self._committed_at >= COMMIT_SECONDS):
            return
        mine = self._kafka.assignment()
        offsets = {place: offset for place, offset in self._done.items() if place in mine}
        self._done.clear()
        self._committed_at = now
        # A broker that forgets would take an offset of its last life for one of this: there every member begins at the
        # beginning, which the inbox makes harmless.
        if offsets and self._settings.broker_keeps_log:
            try:
                await self._kafka.commit(offsets)
            except KafkaError as error:
                # Nothing is lost by it: what is delivered again was claimed before.
                log.info("offsets were not committed", reason=type(error).__name__)

    async def _watch(self, kafka: AIOKafkaConsumer) -> None:
        """Measure how much is left to be handled; raises `KafkaError` once the client has gone deaf."""
        watch, unanswered_since = Watch(kafka, self._topics), None
        stands_since: Mapping[tuple[TopicPartition, int], float] = {}
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now, drained_at = time.monotonic(), self._drained_at
            try:
                stands = await watch.look()
            except IllegalStateError:
                continue
            except (KafkaError, TimeoutError):
                BROKER_CONTACT.set(0)
                unanswered_since, stands_since = unanswered_since or now, {}
                if now > unanswered_since + DEAF_SECONDS:
                    raise
                continue
            BROKER_CONTACT.set(1)
            unanswered_since = None
            if self._has_its_share:
                self._measure_lag(watch.reached, watch.ends)
            waiting = [at for at in stands.items() if at[0] not in self._stalls]
            stands_since = {at: stands_since.get(at, now) for at in waiting}
            # Whoever is busy with what he has does not wait for the rest.
            if any(drained_at > since + DEAF_SECONDS for since in stands_since.values()):
                raise KafkaError("what there is is not delivered")

    def _measure_lag(self, reached: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
        lags = dict.fromkeys(self._topics, 0)
        for place, position in reached.items():
            stall = self._stalls.get(place)
            at = stall.queue[0].record.offset if stall else self._reached.get(place, position)
            lags[place.topic] += max(0, ends.get(place, 0) - at)
        for topic, lag in lags.items():
            CONSUMER_LAG.labels(topic).set(lag)

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self._has_its_share = False
        async with self._handling:
            await self._commit(at_once=True)
            self._forget(revoked)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        # What was polled before and handled after they were revoked has left its traces.
        self._forget(assigned)
        self._has_its_share = True
        log.info("partitions assigned", count=len(assigned))

    def _forget(self, places: Collection[TopicPartition]) -> None:
        for place in places:
            self._done.pop(place, None)
            self._reached.pop(place, None)
            self._go_on_with(place)


async def give(hears: Hears, events: Sequence[Event], uow: UnitOfWork) -> None:
    """Let every handler of each event do its work, in waves: of one type, or of several with the same handlers."""
    for wave in waves(events, key=lambda event: (event.topic(), event.key), kind=lambda event: hears[type(event)]):
        for handler in hears[type(wave[0])]:
            await handler(wave, uow)


def _opened(place: TopicPartition, record: _Record, types: Collection[bytes]) -> Delivery:
    """As it is delivered to who hears these types: most of what is said on a topic is heard by few of its readers."""
    delivery = Delivery(place, record)
    headers = dict(record.headers)
    if (type_ := headers.get("ce_type")) in types:
        needed = {name: value.decode(errors="replace") for name in HEADERS_READ if (value := headers.get(name))}
        try:
            delivery.event = read(needed, record.value or b"")
        except UnreadableRecordError as unreadable:
            delivery.unreadable = str(unreadable)
    elif type_ is None and record.value is not None:
        delivery.unreadable = "no event"
    return delivery


def _tenants(events: Mapping[UUID, Event]) -> set[UUID]:
    return {event.tenant_id for event in events.values()}


def _by_type(events: Sequence[Event]) -> Mapping[str, Sequence[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.type].append(event)
    return found


def _dead_letter(delivery: Delivery, tenant_id: UUID | None, reason: str, uow: UnitOfWork) -> DeadLetter:
    record = delivery.record
    if delivery.event is not None:
        wire = delivery.event.to_record()
        data, personal = wire.data, wire.personal
    else:
        # What cannot be read may be anything, so all of it counts as personal.
        data, personal = b"", record.value
    return DeadLetter(
        id=new_id(),
        tenant_id=tenant_id,
        event_id=delivery.id,
        type=delivery.headers.get("ce_type"),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=(record.key or b"").decode(errors="replace"),
        headers=delivery.headers,
        data=data,
        personal=personal,
        reason=reason[:500],
        attempts=delivery.attempts,
        died_at=uow.now,
    )


def _uuid(value: str | None) -> UUID | None:
    try:
        return UUID(value) if value else None
    except ValueError:
        return None
