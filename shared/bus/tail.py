"""All that is said on some topics, read by one process for itself: every partition, no group, from a while ago on."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.bus.kafka import START_SECONDS, Watch, end_subscription, incarnation, only_ours, subscription
from shared.bus.retry import wait_before
from shared.events import TOPICS
from shared.settings import ServiceSettings
from shared.telemetry import BROKER_CONTACT, describe

log = structlog.get_logger()

POLL_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 10
"""How often it is looked whether topics have more partitions than were read, or more to be read than was delivered."""


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A record where it stands; a tombstone has no value."""

    place: Place
    offset: int
    headers: Mapping[str, bytes]
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Beginning:
    """Reading begins, at first or anew: then positions of before mean nothing any more.

    A place that is not named here came later, and is read from its offset 0.
    """

    life: frozenset[str]
    """What marks the life of a broker that forgets; empty on one that keeps its log."""
    starts: Mapping[Place, int]
    since: Mapping[Place, int]
    """The first offset that was asked for; what is read before it is only there to recognise what comes twice."""
    ends: Mapping[Place, int]
    """Where each place ended at that moment."""


class Tail:
    """Reads topics for as long as it is asked to; it commits nothing and remembers only where it is.

    It begins `seconds` ago, no more than `most` records before the end of a place, and `before` records earlier than
    that; on a broker that forgets at the beginning. From there on it gives every record of a place once and in order,
    over reconnections and when partitions are added. If a log turns out to be another one than was read (a broker that
    forgets began anew, records were lost or deleted before they were read), it says a new `Beginning` and starts over.
    """

    def __init__(
        self, topics: Iterable[str], settings: ServiceSettings, *, client: str, seconds: float, most: int, before: int
    ) -> None:
        self._topics = frozenset(topics)
        self._settings = settings
        self._client = client
        self._seconds = seconds
        self._most = most
        self._before = before
        self._next: dict[Place, int] = {}
        self._life: frozenset[str] = frozenset()

    async def read(self) -> AsyncGenerator[Beginning | Sequence[Placed], None]:
        """What is there and what comes, in sets; an empty one when nothing came for half a second.

        To be closed (`aclosing`). A broker that is away does not end it.
        """
        failures = 0
        while True:
            kafka = subscription(self._settings, group=None, client=self._client)
            try:
                async with aclosing(self._read(kafka)) as pieces:
                    async for piece in pieces:
                        failures = 0
                        yield piece
            except (KafkaError, OSError, TimeoutError) as error:
                failures += 1
                BROKER_CONTACT.set(0)
                log.warning("the broker does not answer", reason=describe(error), failures=failures)
                await asyncio.sleep(wait_before(failures, first=0.2, longest=5))
            finally:
                await end_subscription(kafka)

    async def _read(self, kafka: AIOKafkaConsumer) -> AsyncGenerator[Beginning | Sequence[Placed], None]:
        """Until the topics are to be assigned again; raises `KafkaError`, `OSError` or `TimeoutError`."""
        with only_ours():
            async with asyncio.timeout(START_SECONDS):
                await kafka.start()
                beginning = await self._assign(kafka)
        BROKER_CONTACT.set(1)
        if beginning is not None:
            yield beginning
        looked_at, watch = time.monotonic(), Watch(kafka, self._topics)
        while True:
            with only_ours():
                found = await kafka.getmany(timeout_ms=int(POLL_SECONDS * 1000))
                same = not found or await self._is_same_log(kafka, found)
            if not same:
                log.warning("the log is another one than was read; reading begins anew")
                self._next.clear()
                return
            for place, run in found.items():
                self._next[Place(*place)] = run[-1].offset + 1
            yield [_placed(record) for run in found.values() for record in run]
            if time.monotonic() - looked_at > LOOK_SECONDS:
                with only_ours():
                    async with asyncio.timeout(START_SECONDS):
                        if not await self._places(kafka) <= self._next.keys():
                            log.info("there are more partitions than were read")
                            return
                if await watch.look():
                    raise KafkaError("what there is is not delivered")
                looked_at = time.monotonic()

    async def _assign(self, kafka: AIOKafkaConsumer) -> Beginning | None:
        """Take every place, where reading had come to; the beginning, if this is one."""
        places = await self._places(kafka)
        if not places:
            raise KafkaError("none of the topics is there yet")
        beginning = None
        if self._next:
            # A place that one answer leaves out is not gone: what was read of it is not to be read again.
            self._next = dict.fromkeys(places, 0) | self._next
        else:
            beginning = await self._begin(kafka, places)
            self._next = dict(beginning.starts)
        kafka.assign([TopicPartition(*place) for place in places])
        for place in places:
            kafka.seek(TopicPartition(*place), self._next[place])
        return beginning

    async def _begin(self, kafka: AIOKafkaConsumer, places: Iterable[Place]) -> Beginning:
        self._life = await self._living(kafka)
        partitions = [TopicPartition(*place) for place in places]
        firsts = await kafka.beginning_offsets(partitions)
        ends = await kafka.end_offsets(partitions)
        since = firsts
        if self._settings.broker_keeps_log:
            moment = int((time.time() - self._seconds) * 1000)
            found = await kafka.offsets_for_times(dict.fromkeys(partitions, moment))
            since = {
                one: max(found[one].offset if found[one] else ends[one], ends[one] - self._most, firsts[one])
                for one in partitions
            }
        return Beginning(
            life=self._life,
            starts={Place(*one): max(firsts[one], since[one] - self._before) for one in partitions},
            since={Place(*one): offset for one, offset in since.items()},
            ends={Place(*one): offset for one, offset in ends.items()},
        )

    async def _places(self, kafka: AIOKafkaConsumer) -> set[Place]:
        # Asked for all topics and not by name, for a broker may create what it is asked for.
        cluster = await kafka._client.fetch_all_metadata()  # noqa: SLF001 - there is no public way
        return {Place(topic, number) for topic in self._topics for number in cluster.partitions_for_topic(topic) or ()}

    async def _is_same_log(
        self, kafka: AIOKafkaConsumer, found: Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]]
    ) -> bool:
        for place, run in found.items():
            ahead = run[0].offset - self._next[Place(*place)]
            # Compaction leaves holes; anywhere else a hole is what was lost.
            if ahead < 0 or (ahead > 0 and not TOPICS[place.topic].compacted):
                return False
        return await self._living(kafka) == self._life

    async def _living(self, kafka: AIOKafkaConsumer) -> frozenset[str]:
        return frozenset() if self._settings.broker_keeps_log else await incarnation(kafka)


def _placed(record: ConsumerRecord[bytes, bytes]) -> Placed:
    return Placed(Place(record.topic, record.partition), record.offset, dict(record.headers), record.value)
