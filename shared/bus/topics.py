"""The topics as the broker must have them."""

import asyncio
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.bus.kafka import INCARNATION, RECORD_BYTES
from shared.events import Topic
from shared.ids import new_id

SECONDS = 10


async def create_topics(servers: str, topics: Iterable[Topic], *, replication: int = 1) -> None:
    """Create the topics that are not there yet; raises `KafkaError` or `TimeoutError` after ten seconds."""
    wanted = [_new(topic, replication) for topic in topics]
    async with asyncio.timeout(SECONDS):
        admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=SECONDS * 1000)
        await admin.start()
        try:
            answer = await admin.create_topics(wanted)
        finally:
            await admin.close()
    for _, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error


async def mark_incarnation(servers: str) -> None:
    """Let consumers tell this life of a broker that forgets from others; to be done before any topic is there."""
    await create_topics(servers, [Topic(f"{INCARNATION}{new_id()}", partitions=1)])


def topic_settings(topic: Topic, replication: int) -> dict[str, str]:
    """What the broker is told about one topic, by Kafka's names; `replication` is how many brokers hold each record."""
    # Kafka deletes whole segments, by their newest record: the oldest one lives longer by the life of a segment.
    segment = topic.retention // 7
    period = str((topic.retention - segment) * 1000)
    kept = (
        {"cleanup.policy": "compact", "max.compaction.lag.ms": period}
        if topic.compacted
        else {"cleanup.policy": "delete", "retention.ms": period}
    )
    return {
        "segment.ms": str(segment * 1000),
        "max.message.bytes": str(RECORD_BYTES),
        # What one broker acknowledges must outlive it: the outbox has forgotten it by then.
        "min.insync.replicas": str(min(2, replication)),
        **kept,
    }


def _new(topic: Topic, replication: int) -> NewTopic:
    return NewTopic(topic.name, topic.partitions, replication, topic_configs=topic_settings(topic, replication))


__all__ = ["KafkaError", "create_topics", "topic_settings"]
