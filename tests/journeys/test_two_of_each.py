"""Two of each process: one more joins under load and shares the work, and each can be stopped without a trace.

Customers and agents go on meanwhile. Who is told to stop takes no more, finishes, commits and leaves within ten
seconds; nothing is lost, doubled or out of order.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.local.running import RunningSet
from deploy.local.supervisor import Ending
from deploy.processes import PROCESSES
from deploy.serve import STOP_SECONDS
from tests.journeys.insisting import insist, path_of
from tests.journeys.provider import ledger
from tests.journeys.reading import Reader
from tests.journeys.replicas import Follower, InTurn, Work, work_of
from tests.journeys.whole_set import whole_set
from tests.support.waiting import until
from tests.support.whatsapp import WhatsApp, text

pytestmark = [pytest.mark.journey, pytest.mark.replicas]

SECOND = {process: f"{process}-2" for process in PROCESSES}
LISTENERS = [process for process in PROCESSES if process != "gateway"]
A_CUSTOMER_EVERY = 0.25
BETWEEN_MESSAGES = 1.0
MESSAGES = 15
"""What a customer writes at most before he goes; so about 60 a second come in, and new customers all the time."""
TWICE = 3
"""Of so many messages one is posted twice at once, so that both of ingest may be given it."""
SHARED_WITHIN = 30
SETTLED_WITHIN = 30
LOOK_SECONDS = 0.5
# With a dozen listeners, the haste of the local run would be half of the machine's work.
CALM = {f"{process.upper()}_FETCH_MAX_WAIT_MS": "200" for process in PROCESSES}
LOOKED_AT = ("conversations", "waiting", "metrics/messages-received", "privacy/register", "channels")
ON_THE_WAY = {"queued", "sending"}


@dataclass(repr=False)
class Shift:
    """What was written and asked, and what is told of it when all has settled."""

    written: Counter[str] = field(default_factory=Counter)
    """How many messages of each customer were acknowledged."""
    endings: dict[str, Ending] = field(default_factory=dict)
    idle: dict[str, set[str]] = field(default_factory=dict)
    """Who did nothing of some kind while there were two of each: at first, and after all were stopped once."""
    answers: Counter[tuple[int, int]] = field(default_factory=Counter)
    follower: Follower = field(default_factory=Follower)
    behind: int = -1
    figures: dict[str, int] = field(default_factory=dict)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Of each customer, by their numbers."""
    sends: list[dict[str, Any]] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    logs: Path = Path()

    @property
    def all_messages(self) -> list[dict[str, Any]]:
        return [message for messages in self.messages.values() for message in messages]


class House:
    """A set of which there may be two of each, and one address for all of them."""

    def __init__(self, running: RunningSet, doors: Mapping[str, InTurn], operator: httpx.AsyncClient) -> None:
        self.running = running
        self.doors = doors
        self._operator = operator

    def client(self, key: str = "", door: str = "gateway") -> httpx.AsyncClient:
        """Asks a process, whichever of the two."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport, url = self.doors[door], self.running.ports.url(door)
        return httpx.AsyncClient(transport=transport, base_url=url, headers=headers, timeout=20)

    async def second(self, process: str) -> None:
        """Start one more; that of the gateway speaks with the second of each service."""
        url = self.running.ports.url
        services = json.dumps({name: url(SECOND[name]) for name in LISTENERS})
        await self.running.start(SECOND[process], {"GATEWAY_SERVICES": services} if process == "gateway" else {})
        if process in self.doors:
            self.doors[process].doors.append(httpx.URL(url(SECOND[process])))

    async def work(self) -> dict[str, Work]:
        url = self.running.ports.url
        return {name: await work_of(url(name), self._operator) for name in (*PROCESSES, *SECOND.values())}

    async def idle(self) -> set[str]:
        """Who answers nothing or handles nothing, although there was time for it."""
        before, ends_at = await self.work(), time.monotonic() + SHARED_WITHIN
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            after = await self.work()
            idle = {f"{name} answers" for name in after if after[name].requests <= before[name].requests}
            idle |= {f"{name} handles" for name in after if after[name].events <= before[name].events}
            # Nothing happens that a gateway would hear of.
            idle -= {"gateway handles", f"{SECOND['gateway']} handles"}
            if not idle or time.monotonic() > ends_at:
                return idle


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shift(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shift]:
    """Customers write and agents answer while each process is doubled, and then each first one stopped and started."""
    root = tmp_path_factory.mktemp("two")
    found = Shift(logs=root / "logs")
    async with whole_set(root, CALM) as running, AsyncExitStack() as stack:
        doors = {process: InTurn(running.ports.url(process)) for process in ("gateway", "ingest")}
        operator = await stack.enter_async_context(httpx.AsyncClient(base_url=running.simulator_url, timeout=10))
        house = House(running, doors, operator)
        for door in doors.values():
            stack.push_async_callback(door.close)
        admin = await stack.enter_async_context(house.client(running.demo["admin_key"]))
        following = asyncio.create_task(found.follower.follow(house.client(running.demo["admin_key"])))
        await until(found.follower.began)
        async with asyncio.TaskGroup() as group:
            closing = asyncio.Event()
            group.create_task(_customers(house, found, closing))
            for agent in running.demo["agents"]:
                group.create_task(_serve(house, agent, closing))
            group.create_task(_look_around(admin, closing))
            await asyncio.gather(*(house.second(process) for process in PROCESSES))
            found.idle["once there are two"] = await house.idle()
            await _roll(running, found)
            found.idle["once all were stopped"] = await house.idle()
            closing.set()
        await _settle(house, Reader(admin), operator, found)
        following.cancel()
        await asyncio.wait([following])
        for door in doors.values():
            found.answers += door.answers
    yield found


async def _customers(house: House, found: Shift, closing: asyncio.Event) -> None:
    async with house.client(door="ingest") as client, asyncio.TaskGroup() as group:
        whatsapp = WhatsApp(house.running.demo["channels"]["whatsapp"], client)
        for number in count(5511900000000):
            if closing.is_set():
                break
            group.create_task(_write(str(number), whatsapp, found, closing))
            await _pause(A_CUSTOMER_EVERY, closing)


async def _write(customer: str, whatsapp: WhatsApp, found: Shift, closing: asyncio.Event) -> None:
    """One message after the other, each acknowledged before the next is posted."""
    for number in range(MESSAGES):
        times = 2 if number % TWICE == 0 else 1
        await asyncio.gather(*(whatsapp.deliver(text(customer, number)) for _ in range(times)))
        found.written[customer] += 1
        await _pause(BETWEEN_MESSAGES, closing)
        if closing.is_set():
            return


async def _serve(house: House, agent: Mapping[str, Any], closing: asyncio.Event) -> None:
    """Answer what one is given, once, and settle it; whoever writes again is given to somebody again."""
    async with house.client(agent["key"]) as client:
        read = Reader(client)
        while not closing.is_set():
            for conversation in await read.items("/v1/conversations", assignee_id=agent["id"], status="open"):
                path, seen = path_of(conversation), conversation["message_count"]
                headers = {"Idempotency-Key": f"{conversation['id']}-{seen}"}
                words = {"text": f"Já vejo as suas {seen} mensagens."}
                await insist(_asking(client, "POST", f"{path}/messages", json=words, headers=headers))
                await insist(_asking(client, "PATCH", path, json={"status": "resolved"}))
            await _pause(LOOK_SECONDS, closing)


def _asking(
    client: httpx.AsyncClient, method: str, path: str, **request: Any
) -> Callable[[], Awaitable[httpx.Response]]:
    return lambda: client.request(method, path, **request)


async def _look_around(admin: httpx.AsyncClient, closing: asyncio.Event) -> None:
    """Ask every service for something, over and over."""
    read = Reader(admin)
    while not closing.is_set():
        for path in LOOKED_AT:
            await read.get(f"/v1/{path}")
        await _pause(0.2, closing)


async def _pause(seconds: float, closing: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await closing.wait()


async def _roll(running: RunningSet, found: Shift) -> None:
    """One after the other; a process is back when it is back, and the next does not wait for it."""
    async with asyncio.TaskGroup() as group:
        for process in PROCESSES:
            found.endings[process] = await running.stop(process)
            group.create_task(running.start(process))


async def _settle(house: House, read: Reader, simulator: httpx.AsyncClient, found: Shift) -> None:
    """Read everything once nothing is under way any more; should it never be so, the tests tell what is missing."""

    async def behind() -> int:
        return sum(work.behind for work in (await house.work()).values())

    async def figures() -> dict[str, int]:
        return {name: count for name, count in (await read.figures()).items() if name != "waiting"}

    async def on_the_way() -> int:
        found.messages = await _messages(read)
        return sum(message["status"] in ON_THE_WAY for message in found.all_messages)

    expected = _expected(found)
    with suppress(TimeoutError):
        await until(figures, lambda told: told == expected, seconds=SETTLED_WITHIN)
        await until(on_the_way, lambda count: count == 0, seconds=SETTLED_WITHIN)
        await until(behind, lambda count: count == 0, seconds=SETTLED_WITHIN)
    found.figures, found.behind = await figures(), await behind()
    found.sends = await ledger(simulator)
    found.dead_letters = await read.dead_letters()


def _expected(found: Shift) -> dict[str, int]:
    customers = len(found.written)
    return {"messages-received": found.written.total(), "conversations-opened": customers, "subjects": customers}


async def _messages(read: Reader) -> dict[str, list[dict[str, Any]]]:
    """What was said with each customer, by his number, in the order in which the history numbers it."""
    conversations = {one["contact_id"]: one for one in await read.items("/v1/conversations")}
    found = {}
    for contact in await read.items("/v1/contacts"):
        [number] = [address["value"] for address in contact["addresses"] if address["kind"] == "wa_phone"]
        messages = await read.items(f"{path_of(conversations[contact['id']])}/messages")
        found[number] = sorted(messages, key=lambda message: int(message["seq"]))
    return found


async def test_both_of_each_do_their_share_of_the_work(shift: Shift) -> None:
    assert shift.idle == {"once there are two": set(), "once all were stopped": set()}, f"see {shift.logs}"


async def test_who_is_told_to_stop_ends_well_within_ten_seconds(shift: Shift) -> None:
    assert {name: ending.code for name, ending in shift.endings.items()} == dict.fromkeys(PROCESSES, 0)
    assert all(ending.seconds < STOP_SECONDS for ending in shift.endings.values()), shift.endings


async def test_nobody_else_ended(shift: Shift) -> None:
    assert " ended (" not in (shift.logs / "balcao.log").read_text(), f"see {shift.logs}"


async def test_nobody_was_refused_but_with_the_word_to_come_back(shift: Shift) -> None:
    failures = {(port, status) for port, status in shift.answers if status >= 500}
    assert {status for _, status in failures} <= {503}, f"see {shift.logs}"


async def test_every_message_is_in_the_history_once_and_in_the_order_in_which_it_was_written(shift: Shift) -> None:
    assert shift.messages.keys() == shift.written.keys()
    for customer, messages in shift.messages.items():
        inbound = [message["provider_message_id"] for message in messages if message["direction"] == "inbound"]
        assert inbound == [text(customer, number).id for number in range(shift.written[customer])], f"of {customer}"
        assert [int(message["seq"]) for message in messages] == list(range(1, len(messages) + 1)), f"of {customer}"


async def test_every_answer_left_once(shift: Shift) -> None:
    outbound = [message for message in shift.all_messages if message["direction"] == "outbound"]
    accepted = Counter(send["callback_data"].partition(":")[0] for send in shift.sends)
    assert len(outbound) > 50
    assert accepted == Counter(message["id"] for message in outbound)
    assert {message["status"] for message in outbound} <= {"sent", "delivered", "read"}


async def test_who_listens_has_counted_each_once_and_nothing_waits(shift: Shift) -> None:
    assert (shift.figures, shift.behind) == (_expected(shift), 0), f"see {shift.logs}"
    assert shift.dead_letters == []


async def test_the_stream_goes_on_at_the_other_gateway_with_each_event_once(shift: Shift) -> None:
    assert shift.follower.answered > 1
    kinds = Counter(told["type"] for told in shift.follower.told)
    added = Counter(
        told["data"]["message_id"] for told in shift.follower.told if told["type"] == "conversation.message-added.v1"
    )
    assert "resync" not in kinds
    assert added == Counter(message["id"] for message in shift.all_messages)
