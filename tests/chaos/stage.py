"""A running set under load: customers write without a pause, and agents answer whatever they are given."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.local.running import RunningSet
from tests.chaos.books import Books
from tests.chaos.reconciliation import Accepted, Evidence, Load
from tests.journeys.insisting import insist, path_of
from tests.journeys.provider import Posted, batches, ledger
from tests.journeys.reading import Reader, gateway
from tests.support.whatsapp import Text, WhatsApp, text

RATE: Final = 100
"""Messages a second, each of which is posted twice."""
SENDERS: Final = 50
"""In each scenario, and all of them new."""
CAUGHT_UP_SECONDS: Final = 180
"""Within which everything is caught up: the lease of what a killed process was at runs for 60 s of it, and whoever the
provider refuses three times in a row waits for 84 s and up to a quarter more, by the provider's own rule."""
BEHAVIOUR: Final[Mapping[str, Any]] = {
    "error_share": 0.02,
    "throttle_share": 0.02,
    "duplicate_share": 0.3,
    "shuffle": True,
    "delay_seconds": [0, 0.5],
    "read_share": 0.5,
}
CAPACITY: Final = 12
"""Of each agent: together they have room for most customers of a scenario, but not for all."""
_HANDS: Final = 2
"""How many conversations an agent answers at a time."""
_BREATH_SECONDS: Final = 0.2
_CONNECTIONS: Final = 16
_ACKNOWLEDGED_SECONDS: Final = 120
_LOOK_SECONDS: Final = 0.5
_QUIET_SECONDS: Final = 1.0
"""A listener that has just lost the broker does not know yet how far it is behind."""


@dataclass(frozen=True)
class Stage:
    """The set, and everybody who has to do with it."""

    running: RunningSet
    books: Books
    simulator: httpx.AsyncClient
    admin: httpx.AsyncClient
    whatsapp: WhatsApp
    staff: "Staff"
    loads: Sequence[Load]
    """All that was ever seen of the agents' loads."""
    tell: Callable[[str], None]
    """Says how far it is."""


@dataclass
class Writing:
    """What the customers of one scenario write, and when."""

    texts: Sequence[Text]
    posted: Posted = field(default_factory=Posted)
    seconds: int = 0

    @classmethod
    def of(cls, scenario: int, seconds: int) -> "Writing":
        """Customers of this scenario alone, one after the other, for so many seconds."""
        senders = [str(5511_900_000_000 + 1000 * scenario + number) for number in range(SENDERS)]
        rounds = range(RATE * seconds // SENDERS)
        return cls([text(sender, number) for number in rounds for sender in senders], seconds=seconds)

    @property
    def senders(self) -> list[str]:
        return list(dict.fromkeys(one.sender for one in self.texts))

    def in_time(self, choice: random.Random) -> Iterator[tuple[float, Sequence[Text]]]:
        """Each batch with the second in which it is posted: shuffled and doubled, but never over more than a second."""
        for second in range(self.seconds):
            posts = list(batches(self.texts[RATE * second : RATE * (second + 1)], choice))
            yield from ((second + place / len(posts), batch) for place, batch in enumerate(posts))

    async def post(self, whatsapp: WhatsApp, choice: random.Random) -> None:
        """Post everything in its time, or as soon as who should acknowledge it is back."""
        planned, began = self.in_time(choice), time.monotonic()

        async def go_on() -> None:
            for moment, batch in planned:
                await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
                await self.posted.deliver(batch, whatsapp, within=_ACKNOWLEDGED_SECONDS)

        async with asyncio.TaskGroup() as group:
            for _ in range(_CONNECTIONS):
                group.create_task(go_on())


class Staff:
    """The agents at work: each answers what he is given, and settles it."""

    def __init__(self, clients: Mapping[str, httpx.AsyncClient]) -> None:
        self._clients = clients
        self._answers = 0
        self._in_hand: set[str] = set()
        self.answered: dict[str, str] = {}
        """The answers that were taken, each with its conversation."""

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """While the block lasts; then everybody finishes what he is at."""
        closing = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for agent_id, client in self._clients.items():
                for _ in range(_HANDS):
                    group.create_task(self._serve(agent_id, client, closing))
            try:
                yield
            finally:
                closing.set()

    async def _serve(self, agent_id: str, client: httpx.AsyncClient, closing: asyncio.Event) -> None:
        while not closing.is_set():
            # Who is away for longer than a reader's patience is asked again.
            with suppress(AssertionError):
                for conversation in await Reader(client).items("/v1/conversations", assignee_id=agent_id):
                    if conversation["status"] == "open" and conversation["id"] not in self._in_hand:
                        await self._answer(client, conversation)
                        # What was listed is old by now.
                        break
            await asyncio.sleep(_BREATH_SECONDS)

    async def _answer(self, client: httpx.AsyncClient, conversation: Mapping[str, Any]) -> None:
        self._in_hand.add(conversation["id"])
        try:
            await self._settle(client, conversation)
        finally:
            self._in_hand.discard(conversation["id"])

    async def _settle(self, client: httpx.AsyncClient, conversation: Mapping[str, Any]) -> None:
        for _ in range(2):
            self._answers += 1
            words = f"Resposta {self._answers}"
            path, headers = f"{path_of(conversation)}/messages", {"Idempotency-Key": words}
            await insist(lambda: client.post(path, json={"text": words}, headers=headers))  # noqa: B023
            self.answered[words] = conversation["id"]
        await insist(lambda: client.patch(path_of(conversation), json={"status": "resolved"}))


@asynccontextmanager
async def stage(running: RunningSet, root: Path, tell: Callable[[str], None], *, commits: bool) -> AsyncIterator[Stage]:
    """Everybody in his place, until the block ends; `commits` as `Books` has it."""
    books = Books(running, root, commits=commits)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        clients = {one["id"]: await enter(gateway(running, one["key"])) for one in running.demo["agents"]}
        admin = await enter(gateway(running, running.demo["admin_key"]))
        for agent_id in clients:
            await insist(lambda: admin.patch(f"/v1/agents/{agent_id}", json={"capacity": CAPACITY}))  # noqa: B023
        yield Stage(
            running=running,
            books=books,
            simulator=await enter(httpx.AsyncClient(base_url=running.simulator_url, timeout=20)),
            admin=admin,
            whatsapp=WhatsApp(running.demo["channels"]["whatsapp"], await enter(httpx.AsyncClient())),
            staff=Staff(clients),
            loads=await enter(books.watching()),
            tell=tell,
        )


async def caught_up(stage: Stage, acknowledged: Iterable[str]) -> dict[str, int]:
    """Return once nothing is left to be done, or else after `CAUGHT_UP_SECONDS` what that is."""
    ids, deadline = list(acknowledged), time.monotonic() + CAUGHT_UP_SECONDS
    quiet_since, left = None, {"everything": len(ids)}
    while time.monotonic() < deadline:
        left = await _left(stage.books, ids)
        now = time.monotonic()
        quiet_since = None if left else quiet_since or now
        if quiet_since is not None and now - quiet_since >= _QUIET_SECONDS:
            return {}
        await asyncio.sleep(_LOOK_SECONDS)
    return left


async def _left(books: Books, ids: Sequence[str]) -> dict[str, int]:
    try:
        return await books.left(ids)
    except Exception as error:  # noqa: BLE001 - whatever keeps a part from telling, it is not caught up
        return {f"{type(error).__name__}: {error}": 1}


async def evidence_of(stage: Stage, writing: Writing, loads: Sequence[Load], replayed: Iterable[str]) -> Evidence:
    """What became of all that these customers wrote, and of what they were answered."""
    customers = set(writing.senders)
    history = await stage.books.history(customers)
    conversations = {message.conversation_id for message in history}
    answered = {words: id_ for words, id_ in stage.staff.answered.items() if id_ in conversations}
    return Evidence(
        written=[one.id for one in writing.texts if one.id in writing.posted.acknowledged_at],
        posted=writing.posted,
        answered=answered,
        history=history,
        counted=await stage.books.counted(conversations),
        routed=await stage.books.routed(conversations),
        accepted=[one for one in map(_accepted, await ledger(stage.simulator)) if one.customer in customers],
        loads=loads,
        replayed=frozenset(replayed),
    )


def _accepted(send: Mapping[str, Any]) -> Accepted:
    return Accepted(n=send["n"], message_id=send["callback_data"].partition(":")[0], customer=send["to"])
