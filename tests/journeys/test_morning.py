"""A morning at the counter: customers write, agents with room answer, and every part of the set is killed meanwhile.

Nothing is lost, doubled or out of order, and each answer leaves once, as far as anyone can know. The figures are those
that the provider's ledger gives, also when they are made anew, and a customer who asks is given exactly what is his.
"""

import asyncio
import json
import random
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.local.keys import Keys
from deploy.local.plan import HOST, database_of
from deploy.local.running import RunningSet
from deploy.processes import PROCESSES
from deploy.recompute import recompute
from services.metrics.handlers import Remeasured
from tests.journeys.access import Package, ask_oneself, code_in
from tests.journeys.insisting import PATIENCE_SECONDS, insist, path_of
from tests.journeys.provider import Posted, batches, ledger
from tests.journeys.reading import Reader, gateway, reading
from tests.journeys.whole_set import kill, whole_set
from tests.support.waiting import until
from tests.support.whatsapp import WhatsApp, text

pytestmark = [pytest.mark.journey, pytest.mark.kafka]

SENDERS = [str(5511900000000 + number) for number in range(100)]
TEXTS = [text(sender, number) for sender in SENDERS for number in range(10)]
EXPECTED = {"messages-received": len(TEXTS), "conversations-opened": len(SENDERS), "subjects": len(SENDERS)}
VICTIMS = (
    *("ingest", "conversation", "broker", "routing", "gateway", "postgres", "metrics", "privacy"),
    # Once more and again: what comes back is killed before all have found it.
    *("broker", "broker", "postgres", "broker"),
)
CONNECTIONS = 4
PACE_SECONDS = 0.1
RESOLVED = 60
"""How many conversations the agents settle; the others go on being assigned or waiting."""
REPLIES = ("Bom dia!", "Já vejo.", "Está pronto às 15 h.")
CAPACITY = 3
BEHAVIOUR = {
    "seed": 20261122,
    "time_out_share": 0.04,
    "error_share": 0.04,
    "throttle_share": 0.02,
    "duplicate_share": 0.3,
    "shuffle": True,
    "delay_seconds": [0, 0.5],
    "read_share": 0.5,
}
SETTLED = {"delivered", "read", "failed", "unknown"}
CURIOUS = SENDERS[42]
"""The customer who asks what is held about him."""
MEASURED = (
    *("messages-received", "messages-sent", "conversations-opened", "conversations-reopened"),
    *("conversations-resolved", "backlog", "first-reply-time", "next-reply-time", "waiting-time", "handling-time"),
    "resolution-time",
)


@dataclass(repr=False)
class Aftermath:
    """What the public API and the provider's own ledger tell once all has settled."""

    posted: Posted = field(default_factory=Posted)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    conversations: list[dict[str, Any]] = field(default_factory=list)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By conversation, as listed."""
    positions: dict[str, int | None] = field(default_factory=dict)
    """Of the conversations that nobody answers."""
    loads: list[tuple[float, float]] = field(default_factory=list)
    """An agent's load and capacity, each time one was looked at."""
    owned: list[Counter[str]] = field(default_factory=list)
    """How many conversations each agent had, each time it was looked at."""
    sends: list[dict[str, Any]] = field(default_factory=list)
    """The provider's ledger."""
    figures: list[dict[str, int]] = field(default_factory=list)
    """Before and after all else was read."""
    measured: list[dict[str, Any]] = field(default_factory=list)
    """All figures, before and after they were made anew."""
    remeasured: Remeasured = field(default_factory=Remeasured)
    package: Package = field(default_factory=lambda: Package({}, 0, {}, {}))
    """What the curious customer was given."""
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    failed_raw_events: list[dict[str, Any]] = field(default_factory=list)
    logs: Path = Path()

    def of_senders(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Each sender's number with the messages of his conversations, one conversation after the other."""
        numbers = {
            contact["id"]: address["value"]
            for contact in self.contacts
            for address in contact["addresses"]
            if address["kind"] == "wa_phone"
        }
        for conversation in self.conversations:
            yield numbers[conversation["contact_id"]], self.messages[conversation["id"]]

    def replies(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Each customer's number with what he was answered, in order."""
        for number, messages in self.of_senders():
            own = [message for message in messages if message["direction"] == "outbound"]
            yield number, sorted(own, key=lambda message: int(message["seq"]))

    def sends_of(self, message_id: str) -> list[dict[str, Any]]:
        return [send for send in self.sends if send["callback_data"].partition(":")[0] == message_id]


class Staff:
    """The agents of the demo tenant at work, and who helps them out."""

    def __init__(self, running: RunningSet, clients: Mapping[str, httpx.AsyncClient]) -> None:
        self._clients = clients
        self._admin = running.demo["admin_key"]
        self.answered: set[str] = set()
        self.settled: set[str] = set()

    async def serve(self, agent_id: str) -> None:
        """Answer what one is given, and settle it while there is still enough to settle."""
        client = self._clients[agent_id]
        while len(self.settled) < RESOLVED:
            with suppress(AssertionError):
                given = await Reader(client).items("/v1/conversations", assignee_id=agent_id, status="open")
                for conversation in given:
                    await self.answer(client, conversation["id"])
                    if len(self.settled) < RESOLVED:
                        await insist(lambda: client.patch(path_of(conversation), json={"status": "resolved"}))  # noqa: B023
                        self.settled.add(conversation["id"])
            await asyncio.sleep(0.1)

    async def answer(self, client: httpx.AsyncClient, conversation_id: str) -> None:
        """Say what is to be said, once, however often it is tried."""
        if conversation_id in self.answered:
            return
        for number, words in enumerate(REPLIES):
            headers = {"Idempotency-Key": f"reply-{conversation_id}-{number}"}
            path = f"/v1/conversations/{conversation_id}/messages"
            await insist(lambda: client.post(path, json={"text": words}, headers=headers))  # noqa: B023
        self.answered.add(conversation_id)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def aftermath(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Aftermath]:
    """Every message posted twice, everyone answered, each part of the set killed meanwhile, one send in ten failing."""
    root = tmp_path_factory.mktemp("answers")
    found = Aftermath(logs=root / "logs")
    async with whole_set(root) as running, AsyncExitStack() as stack:
        agents = running.demo["agents"]
        clients = {one["id"]: await stack.enter_async_context(gateway(running, one["key"])) for one in agents}
        simulator = await stack.enter_async_context(httpx.AsyncClient(base_url=running.ports.url("simulator")))
        (await simulator.put("/behaviour", json=BEHAVIOUR)).raise_for_status()
        read = await stack.enter_async_context(reading(running))
        staff = Staff(running, clients)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(read, found))
            serving = [group.create_task(staff.serve(agent_id)) for agent_id in clients]
            await _post_and_kill(running, found)
            with suppress(TimeoutError):
                await until(read.figures, _are_reached, seconds=PATIENCE_SECONDS)
            await asyncio.wait(serving, timeout=PATIENCE_SECONDS)
            await _answer_the_others(running, read, staff)
            await _settle(read)
            watching.cancel()
        await _read_all(read, simulator, found)
        await _measure_anew(running, root, read, found)
        found.package = await _ask_for_ones_own(running, read, simulator)
    yield found


async def test_every_sender_is_one_contact_with_one_conversation(aftermath: Aftermath) -> None:
    addresses = [address["value"] for contact in aftermath.contacts for address in contact["addresses"]]
    assert Counter(value for value in addresses if value in set(SENDERS)) == Counter(SENDERS)
    assert len(aftermath.contacts) == len(SENDERS)
    assert Counter(conversation["contact_id"] for conversation in aftermath.conversations) == Counter(
        contact["id"] for contact in aftermath.contacts
    )


async def test_messages_are_listed_by_their_dates_and_numbered_without_gaps(aftermath: Aftermath) -> None:
    for sender, messages in aftermath.of_senders():
        written = [message["provider_message_id"] for message in messages if message["direction"] == "inbound"]
        assert written == [f"wamid.{sender}.{n}" for n in range(10)]
        assert sorted(message["seq"] for message in messages) == list(range(1, len(messages) + 1)), f"of {sender}"


async def test_what_was_acknowledged_before_another_was_posted_has_the_lower_number(aftermath: Aftermath) -> None:
    shows = 0
    for _, messages in aftermath.of_senders():
        written = [message for message in messages if message["direction"] == "inbound"]
        in_turn = [one["provider_message_id"] for one in sorted(written, key=lambda message: int(message["seq"]))]
        assert list(aftermath.posted.misplaced(in_turn)) == []
        # In the opposite order they are wrong wherever one can be told from the other.
        shows += len(list(aftermath.posted.misplaced(in_turn[::-1])))
    assert shows > len(TEXTS), "too much was under way at once for the order to show"


async def test_who_listens_has_counted_each_once(aftermath: Aftermath) -> None:
    assert aftermath.figures == [EXPECTED, EXPECTED], f"see {aftermath.logs}"


async def test_the_figures_are_those_of_a_direct_count(aftermath: Aftermath) -> None:
    replies = [message for _, messages in aftermath.replies() for message in messages]
    accepted = {send["callback_data"].partition(":")[0] for send in aftermath.sends}
    never_accepted = [message for message in replies if message["id"] not in accepted]
    resolved = [conversation for conversation in aftermath.conversations if conversation["status"] == "resolved"]
    figures = aftermath.measured[0]
    reopened = figures["conversations-reopened"]["count"]
    assert figures["messages-received"]["count"] == len(TEXTS)
    assert figures["messages-sent"]["count"] == len(accepted) + len(never_accepted)
    assert figures["conversations-opened"]["count"] == len(SENDERS)
    assert figures["conversations-resolved"]["count"] == len(resolved) + reopened
    assert figures["backlog"]["count"] == len(SENDERS) - len(resolved)
    assert figures["resolution-time"]["count"] == figures["conversations-resolved"]["count"]


async def test_a_first_reply_took_as_long_as_the_history_says(aftermath: Aftermath) -> None:
    seconds = []
    for _, messages in aftermath.of_senders():
        written, replied = (
            min(_moment(message) for message in messages if message["direction"] == direction)
            for direction in ("inbound", "outbound")
        )
        seconds.append((replied - written).total_seconds())
    figure = aftermath.measured[0]["first-reply-time"]
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    assert figure["count"] == len(seconds)
    assert [figure[name] for name in ("mean", "p50", "p90", "p95")] == pytest.approx(
        [statistics.fmean(seconds), cuts[49], cuts[89], cuts[94]]
    )


async def test_figures_that_are_made_anew_come_out_the_same(aftermath: Aftermath) -> None:
    before, after = aftermath.measured
    assert before == after
    assert aftermath.remeasured.conversations == len(SENDERS)
    assert aftermath.remeasured.measures > 3 * len(SENDERS)
    assert aftermath.remeasured.different == 0


async def test_a_customer_who_asks_is_given_exactly_what_is_his(aftermath: Aftermath) -> None:
    given = json.loads(aftermath.package.files["data.json"])["services"]
    [messages] = [messages for sender, messages in aftermath.of_senders() if sender == CURIOUS]
    assert {row["id"] for row in given["conversation"]["messages"]} == {message["id"] for message in messages}
    assert {row["text"] for row in given["conversation"]["messages"]} == {message["text"] for message in messages}
    assert aftermath.package.request["state"] == "completed"
    others = set(SENDERS) - {CURIOUS}
    assert not {sender for sender in others if sender in "".join(aftermath.package.files.values())}
    assert {row["name"] for row in given["conversation"]["contacts"]} == {f"Cliente {CURIOUS}"}
    stored = {row["body"]["item"]["id"] for row in given["ingest"]["raw_events"] if row["body"]["kind"] == "message"}
    assert stored == {f"wamid.{CURIOUS}.{n}" for n in range(10)}


async def test_nobody_ended_but_who_was_killed(aftermath: Aftermath) -> None:
    told = (aftermath.logs / "balcao.log").read_text()
    ended = re.findall(rf"({'|'.join(PROCESSES)}) ended \((.*?)\)", told)
    assert sorted(ended) == sorted((name, "SIGKILL") for name in PROCESSES), f"see {aftermath.logs}"


async def test_every_conversation_is_settled_assigned_or_queued_with_a_position(aftermath: Aftermath) -> None:
    assert len(aftermath.conversations) == len(SENDERS)
    waiting = []
    for conversation in aftermath.conversations:
        if conversation["status"] != "resolved" and conversation["assignee_id"] is None:
            assert conversation["queue_id"] is not None, f"{conversation['id']} is lost; see {aftermath.logs}"
            waiting.append(aftermath.positions[conversation["id"]])
    assert sorted(waiting, key=str) == sorted(range(1, len(waiting) + 1), key=str)


async def test_all_that_agents_can_do_is_being_done(aftermath: Aftermath) -> None:
    had = Counter(one["assignee_id"] for one in aftermath.conversations if one["status"] != "resolved")
    queued = had.pop(None, 0)
    assert not queued or had.total() == CAPACITY * 3, f"{queued} wait while agents have room: {had}"


async def test_no_agent_ever_had_more_than_he_has_room_for(aftermath: Aftermath) -> None:
    assert len(aftermath.owned) > 20
    assert all(load <= capacity for load, capacity in aftermath.loads)
    assert max(max(one.values(), default=0) for one in aftermath.owned) <= CAPACITY


async def test_every_message_and_every_reply_is_in_the_history_once(aftermath: Aftermath) -> None:
    there = [message for messages in aftermath.messages.values() for message in messages]
    inbound = Counter(message["provider_message_id"] for message in there if message["direction"] == "inbound")
    assert inbound == Counter(one.id for one in TEXTS)
    for number, replies in aftermath.replies():
        assert tuple(message["text"] for message in replies) == REPLIES, f"to {number}; see {aftermath.logs}"


async def test_each_reply_was_accepted_once_or_is_said_to_be_unknown(aftermath: Aftermath) -> None:
    states: Counter[str] = Counter()
    for number, replies in aftermath.replies():
        for message in replies:
            accepted = len(aftermath.sends_of(message["id"]))
            states[message["status"]] += 1
            assert accepted == 1 or (accepted == 0 and message["status"] in {"failed", "unknown"}), (
                f"{message['id']} to {number} is {message['status']}, accepted {accepted} times; see {aftermath.logs}"
            )
    assert set(states) <= SETTLED, states
    assert states["delivered"] + states["read"] > 0.9 * len(SENDERS) * len(REPLIES), states


async def test_a_customer_gets_his_replies_in_their_order(aftermath: Aftermath) -> None:
    by_number: dict[str, list[str]] = defaultdict(list)
    for send in aftermath.sends:
        by_number[send["to"]].append(send["callback_data"].partition(":")[0])
    for number, replies in aftermath.replies():
        left = set(by_number[number])
        assert by_number[number] == [message["id"] for message in replies if message["id"] in left], f"to {number}"


async def test_nothing_died_and_nothing_was_misunderstood(aftermath: Aftermath) -> None:
    assert aftermath.dead_letters == []
    assert aftermath.failed_raw_events == []


async def _post_and_kill(running: RunningSet, found: Aftermath) -> None:
    posts = list(batches(TEXTS, random.Random(20261122)))
    # Not before messages flow, and not so late that none come after.
    gap = len(posts) // (len(VICTIMS) + 1)
    kills = {gap * (turn + 1): victim for turn, victim in enumerate(VICTIMS)}
    numbered = enumerate(posts)

    async def post(whatsapp: WhatsApp) -> None:
        for number, batch in numbered:
            if number in kills:
                await kill(running, kills[number])
            await found.posted.deliver(batch, whatsapp)
            await asyncio.sleep(PACE_SECONDS)

    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(post(WhatsApp(running.demo["channels"]["whatsapp"], client)))


def _are_reached(figures: Mapping[str, int]) -> bool:
    return all(figures[name] >= count for name, count in EXPECTED.items())


async def _watch(read: Reader, found: Aftermath) -> None:
    """Look again and again at what the agents have, for as long as it takes."""
    while True:
        with suppress(AssertionError):
            agents = await read.items("/v1/agents")
            found.loads += [(agent["load"], agent["capacity"]) for agent in agents]
            lists = [await read.items("/v1/conversations", assignee_id=agent["id"]) for agent in agents]
            found.owned.append(
                Counter(one["assignee_id"] for each in lists for one in each if one["status"] != "resolved")
            )
        await asyncio.sleep(0.1)


async def _answer_the_others(running: RunningSet, read: Reader, staff: Staff) -> None:
    async with gateway(running, running.demo["admin_key"]) as client:
        for conversation in await read.items("/v1/conversations"):
            if conversation["status"] != "resolved":
                await staff.answer(client, conversation["id"])


async def _settle(read: Reader) -> None:
    """Until nothing is under way any more; should it never be so, the tests tell what is missing."""

    async def unsettled() -> int:
        lists = [
            await read.items(f"{path_of(conversation)}/messages")
            for conversation in await read.items("/v1/conversations")
        ]
        outbound = [message for messages in lists for message in messages if message["direction"] == "outbound"]
        return sum(message["status"] not in SETTLED for message in outbound)

    with suppress(TimeoutError):
        await until(unsettled, lambda count: count == 0, seconds=PATIENCE_SECONDS)


async def _read_all(read: Reader, simulator: httpx.AsyncClient, found: Aftermath) -> None:
    found.figures.append(_expected_of(await read.figures()))
    found.contacts = await read.items("/v1/contacts", limit=40)
    found.conversations = await read.items("/v1/conversations", limit=40)
    for conversation in found.conversations:
        found.messages[conversation["id"]] = await read.items(f"{path_of(conversation)}/messages", limit=7)
        if conversation["assignee_id"] is None and conversation["status"] != "resolved":
            told = await read.get(f"{path_of(conversation)}/queue-position")
            found.positions[conversation["id"]] = told["position"]
    found.sends = await ledger(simulator)
    found.dead_letters = await read.dead_letters()
    found.failed_raw_events = await read.items("/v1/raw-events", state="failed")
    found.figures.append(_expected_of(await read.figures()))


def _expected_of(figures: Mapping[str, int]) -> dict[str, int]:
    return {name: figures[name] for name in EXPECTED}


async def _measure_anew(running: RunningSet, root: Path, read: Reader, found: Aftermath) -> None:
    found.measured.append(await _measured(read))
    metrics = database_of("metrics", Keys.of(root)).url(HOST, running.ports["postgres"])
    found.remeasured = await recompute(metrics)
    found.measured.append(await _measured(read))


async def _measured(read: Reader) -> dict[str, Any]:
    figures = {name: (await read.get(f"/v1/metrics/{name}"))["items"] for name in MEASURED}
    return {name: items[0] if items else {"count": 0} for name, items in figures.items()}


async def _ask_for_ones_own(running: RunningSet, read: Reader, simulator: httpx.AsyncClient) -> Package:
    (await simulator.put("/behaviour", json={})).raise_for_status()
    slug = (await read.get(f"/v1/tenants/{running.demo['tenant_id']}"))["slug"]

    async def code() -> str | None:
        return code_in(send["text"] for send in await ledger(simulator))

    async with gateway(running, running.demo["admin_key"]) as client:
        return await ask_oneself(client, slug, {"identifiers": [{"kind": "phone", "value": f"+{CURIOUS}"}]}, code)


def _moment(message: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(message["sent_at"])
