"""The topics as the broker is told to have them: personal data go within a week, what is acknowledged stays."""

from collections.abc import Mapping

import pytest

from shared.bus.topics import topic_settings
from shared.events import EVENTS, TOPICS
from shared.events.base import SHARDS

WEEK_MS = 7 * 86_400_000
QUIET = {"gateway.events", "privacy.events"}
"""Where people, and not messages, are told of."""


def settings_of(name: str, *, replication: int = 3) -> Mapping[str, str]:
    return topic_settings(TOPICS[name], replication)


@pytest.mark.parametrize("name", TOPICS)
def test_no_record_outlives_a_week_unless_the_newest_of_its_key_in_a_compacted_topic(name: str) -> None:
    settings = settings_of(name)
    # A segment is dropped, or compacted, by its newest record: its oldest one was there for a segment's life before.
    kept_for = settings["max.compaction.lag.ms" if TOPICS[name].compacted else "retention.ms"]
    assert int(settings["segment.ms"]) + int(kept_for) <= WEEK_MS
    assert settings["cleanup.policy"] == ("compact" if TOPICS[name].compacted else "delete")


def test_only_who_works_here_is_in_the_topic_that_keeps_the_newest_of_each_key() -> None:
    assert [name for name, topic in TOPICS.items() if topic.compacted] == ["gateway.events"]
    persons = {event.about for event in EVENTS.values() if event.topic() == "gateway.events"}
    assert persons <= {None, "user_id"}


def test_events_are_spread_as_wide_as_a_service_can_be() -> None:
    assert {topic.partitions for name, topic in TOPICS.items() if name not in QUIET} == {SHARDS}


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "2"), (3, "2")])
def test_what_is_acknowledged_outlives_a_broker_where_there_is_more_than_one(replication: int, in_sync: str) -> None:
    for name in TOPICS:
        assert settings_of(name, replication=replication)["min.insync.replicas"] == in_sync
