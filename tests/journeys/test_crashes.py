"""Every part of the set is killed while messages pour in, and nothing is lost, doubled or out of order."""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.local.running import RunningSet
from deploy.processes import PROCESSES
from tests.journeys.reading import Reader, reading
from tests.journeys.whole_set import whole_set
from tests.support.waiting import until
from tests.support.whatsapp import Text, WhatsApp, text

pytestmark = [pytest.mark.journey, pytest.mark.kafka]

SENDERS = [str(5511900000000 + number) for number in range(100)]
TEXTS = [text(sender, number) for sender in SENDERS for number in range(10)]
EXPECTED = {
    "messages-received": len(TEXTS),
    "conversations-opened": len(SENDERS),
    "waiting": len(SENDERS),
    "subjects": len(SENDERS),
}
VICTIMS = (
    *("ingest", "conversation", "broker", "routing", "gateway", "postgres", "metrics", "privacy"),
    # Once more and again: what comes back is killed before all have found it.
    *("broker", "broker", "postgres", "broker"),
)
CONNECTIONS = 4
PACE_SECONDS = 0.1
RETURN_SECONDS = 30
SETTLE_SECONDS = 60


@dataclass(repr=False)
class Aftermath:
    """What was posted, and what the public API tells once the set has settled."""

    posted_at: dict[str, float] = field(default_factory=dict)
    """When each message was first posted."""
    acknowledged_at: dict[str, float] = field(default_factory=dict)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    conversations: list[dict[str, Any]] = field(default_factory=list)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By conversation, as listed."""
    figures: list[dict[str, int]] = field(default_factory=list)
    """Before and after all else was read."""
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    failed_raw_events: list[dict[str, Any]] = field(default_factory=list)
    logs: Path = Path()

    def of_senders(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Each sender with the messages of his conversations, one conversation after the other."""
        numbers = {
            contact["id"]: address["value"]
            for contact in self.contacts
            for address in contact["addresses"]
            if address["kind"] == "wa_phone"
        }
        for conversation in self.conversations:
            yield numbers[conversation["contact_id"]], self.messages[conversation["id"]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def aftermath(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Aftermath]:
    """Every message posted twice in mixed batches, each part of the set killed once meanwhile."""
    root = tmp_path_factory.mktemp("crashes")
    found = Aftermath(logs=root / "logs")
    async with whole_set(root) as running:
        await _post_and_kill(running, found)
        async with reading(running) as read:
            await _settle(read)
            await _read_all(read, found)
    yield found


async def test_every_message_is_there_once(aftermath: Aftermath) -> None:
    there = Counter(message["provider_message_id"] for messages in aftermath.messages.values() for message in messages)
    lost = sorted({one.id for one in TEXTS} - there.keys())
    assert not lost, f"{len(lost)} are lost; see {aftermath.logs}"
    doubled = {id_: count for id_, count in there.items() if count > 1}
    assert not doubled, f"{len(doubled)} are there more than once; see {aftermath.logs}"
    assert len(there) == len(TEXTS)


async def test_every_sender_is_one_contact_with_one_conversation(aftermath: Aftermath) -> None:
    addresses = [address["value"] for contact in aftermath.contacts for address in contact["addresses"]]
    assert Counter(value for value in addresses if value in set(SENDERS)) == Counter(SENDERS)
    assert len(aftermath.contacts) == len(SENDERS)
    assert Counter(conversation["contact_id"] for conversation in aftermath.conversations) == Counter(
        contact["id"] for contact in aftermath.contacts
    )


async def test_messages_are_listed_by_their_dates_and_numbered_without_gaps(aftermath: Aftermath) -> None:
    for sender, messages in aftermath.of_senders():
        assert [message["provider_message_id"] for message in messages] == [f"wamid.{sender}.{n}" for n in range(10)]
        assert sorted(message["seq"] for message in messages) == list(range(1, 11)), f"of {sender}"


async def test_what_was_acknowledged_before_another_was_posted_has_the_lower_number(aftermath: Aftermath) -> None:
    compared = 0
    for sender, messages in aftermath.of_senders():
        in_turn = sorted(messages, key=lambda message: message["seq"])
        for earlier, later in combinations((message["provider_message_id"] for message in in_turn), 2):
            assert aftermath.acknowledged_at[later] > aftermath.posted_at[earlier], (
                f"{later} of {sender} was durable before {earlier} was posted, and stands after it"
            )
            compared += aftermath.acknowledged_at[earlier] < aftermath.posted_at[later]
    assert compared > len(TEXTS), "too much was under way at once for the order to show"


async def test_who_listens_has_counted_each_once(aftermath: Aftermath) -> None:
    assert aftermath.figures == [EXPECTED, EXPECTED], f"see {aftermath.logs}"


async def test_nothing_died_and_nothing_was_misunderstood(aftermath: Aftermath) -> None:
    assert aftermath.dead_letters == []
    assert aftermath.failed_raw_events == []


async def test_nobody_ended_but_who_was_killed(aftermath: Aftermath) -> None:
    told = (aftermath.logs / "balcao.log").read_text()
    ended = re.findall(rf"({'|'.join(PROCESSES)}) ended \((.*?)\)", told)
    assert sorted(ended) == sorted((name, "SIGKILL") for name in PROCESSES), f"see {aftermath.logs}"


async def _post_and_kill(running: RunningSet, found: Aftermath) -> None:
    batches = list(_batches())
    # Not before messages flow, and not so late that none come after.
    gap = len(batches) // (len(VICTIMS) + 1)
    kills = {gap * (turn + 1): victim for turn, victim in enumerate(VICTIMS)}
    numbered = enumerate(batches)

    async def post(whatsapp: WhatsApp) -> None:
        for number, batch in numbered:
            if number in kills:
                await _kill(running, kills[number])
            _note(batch, found.posted_at)
            await whatsapp.deliver(*batch)
            _note(batch, found.acknowledged_at)
            await asyncio.sleep(PACE_SECONDS)

    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(post(WhatsApp(running.demo["channels"]["whatsapp"], client)))


async def _kill(running: RunningSet, victim: str) -> None:
    async def alive() -> bool:
        return victim in running.pids()

    await until(alive, bool, seconds=RETURN_SECONDS)
    running.kill(victim)


def _batches() -> Iterator[Sequence[Text]]:
    """Every text twice, in an order and in sizes that are always the same."""
    choice = random.Random(20261120)
    texts = [*TEXTS, *TEXTS]
    choice.shuffle(texts)
    while texts:
        size = choice.randint(1, 10)
        batch, texts = texts[:size], texts[size:]
        yield batch


def _note(batch: Iterable[Text], moments: dict[str, float]) -> None:
    for one in batch:
        moments.setdefault(one.id, time.monotonic())


async def _settle(read: Reader) -> None:
    """Until the figures are as expected; should they never be, the tests tell what is missing."""
    with suppress(TimeoutError):
        await until(read.figures, _are_reached, seconds=SETTLE_SECONDS)


def _are_reached(figures: Mapping[str, int]) -> bool:
    return all(figures[name] >= count for name, count in EXPECTED.items())


async def _read_all(read: Reader, found: Aftermath) -> None:
    found.figures.append(await read.figures())
    found.contacts = await read.items("/v1/contacts", limit=40)
    found.conversations = await read.items("/v1/conversations", limit=40)
    for conversation in found.conversations:
        path = f"/v1/conversations/{conversation['id']}/messages"
        found.messages[conversation["id"]] = await read.items(path, limit=7)
    found.dead_letters = await read.dead_letters()
    found.failed_raw_events = await read.items("/v1/raw-events", state="failed")
    found.figures.append(await read.figures())
