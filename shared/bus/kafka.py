"""The broker, as the rest of the bus sees it: a publisher, a subscription, and whether it answers."""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, conn
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

from shared.events import Record
from shared.settings import ServiceSettings
from shared.telemetry import BROKER_CONTACT

log = structlog.get_logger()

ACK_SECONDS = 5
CLOSE_SECONDS = 2
START_SECONDS = 20
BATCH_BYTES = 512 * 1024
RECORD_BYTES = 8 * 1024 * 1024
"""What one record may have: the largest body that is taken in, and room for what is said of it."""
_COORDINATING = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")

INCARNATION = "incarnation."
"""How the topic is named that marks a life of a broker that forgets."""


class BrokerAwayError(Exception):
    """The broker did not acknowledge in time; nothing is known of what it has."""


class _Connection(AIOKafkaConnection):  # type: ignore[misc]
    """Breaks as the client expects it.

    Of a connection that has just closed, uvloop says `RuntimeError` and not `OSError`, of which the client's own tasks
    die without a word (aio-libs/aiokafka#1038).
    """

    def send(self, request: Any, expect_response: bool = True) -> Awaitable[Any]:
        try:
            answer: Awaitable[Any] = super().send(request, expect_response)
        except (KafkaError, NotImplementedError):
            # They are runtime errors too, and say something else.
            raise
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
            raise KafkaConnectionError("the connection has closed") from error
        return answer


conn.AIOKafkaConnection = _Connection


@contextmanager
def only_ours() -> Iterator[None]:
    """Let no cancellation pass but of our own task; raises `KafkaError` for any other.

    aiokafka lets those of its own tasks out when a broker goes away, and whoever waits for it would end without a word.
    """
    try:
        yield
    except asyncio.CancelledError as cancellation:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise KafkaError("the client gave up") from cancellation


class Publisher:
    """Publishes records in order: one batch a partition at a time, each acknowledged before the next one leaves."""

    def __init__(self, servers: str, *, idempotent: bool) -> None:
        self._servers = servers
        self._idempotent = idempotent
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self.answered = asyncio.Event()
        """Set once the broker has acknowledged or answered anything."""

    async def contact(self) -> None:
        """Return once the broker answers; raises `BrokerAwayError` when it does not within five seconds."""
        try:
            with only_ours():
                async with asyncio.timeout(ACK_SECONDS):
                    await self._connected()
        except (KafkaError, OSError, TimeoutError) as error:
            await self._lost(error)

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when the broker holds all of `records`; raises `BrokerAwayError`, and then may hold any of them."""
        try:
            with only_ours():
                async with asyncio.timeout(ACK_SECONDS):
                    await self._publish(records)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._lost(error)

    async def close(self) -> None:
        """Let go of the broker without waiting for what it has not acknowledged."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _end(producer)

    async def _publish(self, records: Sequence[Record]) -> None:
        producer = await self._connected()
        counts = {topic: await self._count(producer, topic) for topic in {record.topic for record in records}}
        partitions: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for record in records:
            number = zlib.crc32(record.key.encode()) % counts[record.topic]
            partitions[record.topic, number].append(record)
        appends = [self._append(producer, *place, run) for place, run in partitions.items()]
        for outcome in await asyncio.gather(*appends, return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _append(self, producer: AIOKafkaProducer, topic: str, partition: int, run: Sequence[Record]) -> None:
        # The accumulator would keep the order within a batch but not over a failed one: so only one is ever under way.
        batch = producer.create_batch()
        for record in run:
            headers = [(name, value.encode()) for name, value in record.headers.items()]
            entry: dict[str, Any] = {"key": record.key.encode(), "value": record.value, "headers": headers}
            if batch.append(timestamp=None, **entry) is None:
                await (await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(timestamp=None, **entry)
        await (await producer.send_batch(batch, topic, partition=partition))

    async def _count(self, producer: AIOKafkaProducer, topic: str) -> int:
        return len(await producer.partitions_for(topic))

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                self._producer = await self._connect()
            return self._producer

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            acks="all",
            enable_idempotence=self._idempotent,
            request_timeout_ms=ACK_SECONDS * 1000,
            max_batch_size=BATCH_BYTES,
            max_request_size=RECORD_BYTES,
            linger_ms=0,
        )
        starting = asyncio.create_task(producer.start())
        try:
            await asyncio.shield(starting)
        except BaseException:
            # Given up in the middle, it would leave a connection that nobody closes.
            await asyncio.wait([starting], timeout=CLOSE_SECONDS)
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await _end(producer)
            raise
        BROKER_CONTACT.set(1)
        self.answered.set()
        return producer

    async def _lost(self, error: BaseException) -> None:
        BROKER_CONTACT.set(0)
        await self.close()
        raise BrokerAwayError(type(error).__name__) from error


async def _end(producer: AIOKafkaProducer) -> None:
    # It would wait for acknowledgements that may never come, and a later producer's records could be overtaken by them.
    producer._message_accumulator.fail_all(KafkaError("given up"))  # noqa: SLF001 - there is no public way
    try:
        with only_ours():
            async with asyncio.timeout(CLOSE_SECONDS):
                await producer.stop()
    except Exception:  # noqa: BLE001 - its sender dies of a KeyError when a batch under way fails after it was given up
        await _abandon(producer.client, [])


async def incarnation(consumer: AIOKafkaConsumer) -> frozenset[str]:
    """What marks the life that the broker is in, asked of the broker itself."""
    return frozenset(topic for topic in await consumer.topics() if topic.startswith(INCARNATION))


def subscription(settings: ServiceSettings, *, group: str | None, client: str) -> AIOKafkaConsumer:
    """A consumer that commits only what it is told to, and begins at the beginning."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.broker_servers,
        group_id=group,
        client_id=client,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        heartbeat_interval_ms=settings.heartbeat_ms,
        session_timeout_ms=max(6_000, settings.heartbeat_ms * 4),
        metadata_max_age_ms=settings.heartbeat_ms * 10,
        max_partition_fetch_bytes=2 * BATCH_BYTES,
    )


class Watch:
    """Looks, beside a reader, whether its client still delivers what the broker has.

    A client whose tasks have died of a broker's end says nothing of it: it delivers nothing more, and waits.
    """

    def __init__(self, kafka: AIOKafkaConsumer, topics: Iterable[str]) -> None:
        self._kafka = kafka
        self._topics = sorted(topics)
        self.reached: Mapping[TopicPartition, int] = {}
        """The offset that is delivered next of each partition that is assigned."""
        self.ends: Mapping[TopicPartition, int] = {}
        """Where each partition of the topics ends."""

    async def look(self) -> Mapping[TopicPartition, int]:
        """Where the reader stands, in each partition of which it was delivered nothing since the last look, though that
        knew of more.

        Raises `KafkaError` and `TimeoutError` when the broker does not tell in five seconds, and `IllegalStateError`
        when the partitions are dealt anew meanwhile.
        """
        with only_ours():
            async with asyncio.timeout(ACK_SECONDS):
                before = self.reached
                self.reached = {place: await self._kafka.position(place) for place in self._kafka.assignment()}
                stands = {
                    place: offset
                    for place, offset in self.reached.items()
                    if before.get(place) == offset < self.ends.get(place, 0)
                }
                if not (places := self._places()):
                    raise KafkaError("none of the topics is known")
                self.ends = await self._kafka.end_offsets(places)
        return stands

    def _places(self) -> list[TopicPartition]:
        # One that has no leader would be asked for until the time is over, and the others are heard meanwhile.
        leader = self._kafka._client.cluster.leader_for_partition  # noqa: SLF001 - there is no public way
        every = (
            TopicPartition(topic, number)
            for topic in self._topics
            for number in self._kafka.partitions_for_topic(topic) or ()
        )
        return [place for place in every if leader(place) not in {None, -1}]


async def end_subscription(kafka: AIOKafkaConsumer) -> None:
    """Let go of a subscription, without waiting long for a broker that is away; nothing of it goes on."""
    try:
        with only_ours():
            async with asyncio.timeout(CLOSE_SECONDS):
                await kafka.stop()
    except Exception as error:  # noqa: BLE001 - what its own tasks died of comes out here, and that may be anything
        log.info("reading did not end cleanly", reason=type(error).__name__)
        coordinator, fetcher = kafka._coordinator, kafka._fetcher  # noqa: SLF001 - there is no public way
        tasks = [getattr(coordinator, name, None) for name in _COORDINATING]
        if fetcher is not None:
            tasks += [fetcher._fetch_task, *fetcher._pending_tasks]  # noqa: SLF001 - as above
        await _abandon(kafka._client, [task for task in tasks if task is not None])  # noqa: SLF001 - as above


async def _abandon(client: AIOKafkaClient, tasks: Sequence[asyncio.Task[Any]]) -> None:
    """End by force what a stop that was cut short left behind.

    A member of a group that does nothing but beat its heart would keep its share from all others for minutes.
    """
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
    # It would not close any connection where its own task has died.
    if client._sync_task is not None and client._sync_task.done():  # noqa: SLF001 - there is no public way
        client._sync_task = None  # noqa: SLF001 - as above
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await client.close()
