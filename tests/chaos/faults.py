"""What goes wrong in each scenario."""

import asyncio
import random
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
import psutil

from deploy.local.plan import HOST
from deploy.processes import PROCESSES, card_of
from shared.bus import Publisher
from shared.events import Record
from shared.events.conversation import MessageAdded
from shared.ids import new_id
from tests.chaos.stage import Stage
from tests.journeys.insisting import insist
from tests.journeys.provider import ledger
from tests.journeys.reading import Reader
from tests.journeys.whole_set import kill, pid_of
from tests.support.waiting import until

HEARD_SECONDS: Final = 60
"""How long a fault may take to show."""
BAD: Final = "conversation"
"""Who is badly deployed: all that customers write passes through it."""
_RESTART_SECONDS: Final = 12
"""What a server that is killed needs at least, until all have found it again."""
_PROCESS_SECONDS: Final = 3
"""The same of a process."""
_BUSY: Final = ("ingest", "conversation", "routing", "metrics")
"""Who has something to do with every message."""
_LISTENERS: Final = [process for process in PROCESSES if MessageAdded in card_of(process).hears]
_FUSE_WINDOW: Final[int] = card_of(BAD).settings.model_fields["fuse_window"].default


@dataclass
class Damage:
    """What a fault left behind on purpose."""

    poisoned: dict[str, int] = field(default_factory=dict)
    """By process, how many events were planted that it cannot read."""
    buried: int = 0
    """How many events were dead letters until they were replayed."""
    replayed: set[str] = field(default_factory=set)
    """The messages in them."""
    complaints: list[str] = field(default_factory=list)
    """What the fault should have brought about, and did not."""


Fault = Callable[[Stage, random.Random, float, Damage], Coroutine[Any, Any, None]]
"""Goes wrong within so many seconds, and is over when it returns."""


@dataclass(frozen=True)
class Scenario:
    """A fault under load."""

    name: str
    fault: Fault
    seconds: int
    """How long customers write."""
    short: int
    """The same in the short form."""
    time_out_share: float = 0.02
    """How many sends the provider accepts and never answers."""


async def kill_each_process(stage: Stage, choice: random.Random, seconds: float, damage: Damage) -> None:
    """`kill -9` each process once, or as many as there is time for, at any moment and in any order."""
    victims = min(len(PROCESSES), int(seconds // _PROCESS_SECONDS))
    await _kill_in_turn(choice.sample(PROCESSES, victims), stage, choice, seconds)


async def kill_the_broker(stage: Stage, choice: random.Random, seconds: float, damage: Damage) -> None:
    """`kill -9` Kafka, again and again."""
    await _kill_in_turn(["broker"] * _times(seconds), stage, choice, seconds)


async def kill_postgres(stage: Stage, choice: random.Random, seconds: float, damage: Damage) -> None:
    """`kill -9` the server, again and again."""
    await _kill_in_turn(["postgres"] * _times(seconds), stage, choice, seconds)


async def time_out(stage: Stage, choice: random.Random, seconds: float, damage: Damage) -> None:
    """The provider's behaviour is the fault: it accepts, and does not answer."""
    await asyncio.sleep(seconds)
    if not any(send["answered"] == "timed_out" for send in await ledger(stage.simulator)):
        damage.complaints.append("the provider answered everything")


async def freeze(stage: Stage, choice: random.Random, seconds: float, damage: Damage) -> None:
    """One process stands still for longer than the broker and the database wait for it, and then simply goes on."""
    name = choice.choice(_BUSY)
    stage.tell(f"{name} stands still for {seconds:g} s")
    process = psutil.Process(await pid_of(stage.running, name))
    process.suspend()
    try:
        await asyncio.sleep(seconds)
    finally:
        process.resume()


async def plant_poison(stage: Stage, choice: random.Random, seconds: float, damage: Damage) -> None:
    """An event that nobody can read, published twice: one dead letter in each service that hears it."""
    await asyncio.sleep(seconds / 2)
    poison = _poison(stage.running.demo["tenant_id"])
    publisher = Publisher(f"{HOST}:{stage.running.ports['broker']}", idempotent=False)
    try:
        await publisher.publish([poison, poison])
    finally:
        await publisher.close()
    stage.tell(f"an event that cannot be read, for {' and '.join(_LISTENERS)}")
    damage.poisoned = dict.fromkeys(_LISTENERS, 1)
    for process in _LISTENERS:
        letters = await until(lambda: _letters(process, stage), seconds=HEARD_SECONDS)  # noqa: B023
        for letter in letters:
            answer = await stage.admin.post(f"/v1/operations/{process}/dead-letters/{letter['id']}/replays")
            if answer.status_code != 409:
                damage.complaints.append(f"a replay of what cannot be read was answered {answer.status_code}")


async def deploy_a_bad_version(stage: Stage, choice: random.Random, seconds: float, damage: Damage) -> None:
    """A version that always fails, until its fuse blows; then the good one, and a replay of what died meanwhile."""
    running = stage.running
    await asyncio.sleep(seconds / 4)
    # In the short form nobody waits for six attempts at each event.
    good = running.program(BAD, {"CONVERSATION_RETRY_ATTEMPTS": "2"} if seconds < _RESTART_SECONDS else {})
    address = ["--host", HOST, "--port", str(running.ports[BAD]), "--log-level", "warning"]
    bad = replace(good, command=[sys.executable, "-m", "uvicorn", "tests.chaos.bad_version:app", *address])
    await pid_of(running, BAD)
    await running.stop(BAD)
    await running.supervisor.start(bad, within=HEARD_SECONDS)
    stage.tell(f"a {BAD} that always fails is deployed")
    await until(lambda: stage.books.gauge(BAD, "balcao_fuse_blown"), seconds=HEARD_SECONDS)
    letters = await stage.books.dead_letters(BAD)
    stage.tell(f"its fuse has blown after {len(letters)} dead letters; the good version is deployed")
    if not 0 < len(letters) <= _FUSE_WINDOW:
        damage.complaints.append(f"{len(letters)} events died before the fuse blew, of at most {_FUSE_WINDOW}")
    await running.stop(BAD)
    await running.start(BAD)
    damage.buried = len(letters)
    damage.replayed = {orjson.loads(letter["data"])["provider_message_id"] for letter in letters}
    for letter in await _letters(BAD, stage):
        replay = f"/v1/operations/{BAD}/dead-letters/{letter['id']}/replays"
        await insist(lambda: stage.admin.post(replay))  # noqa: B023
    stage.tell(f"{damage.buried} dead letters are replayed")


SCENARIOS: Final = (
    Scenario("time-outs", time_out, seconds=20, short=6, time_out_share=0.15),
    # Who sends is then killed while he waits for answers.
    Scenario("kills", kill_each_process, seconds=30, short=12, time_out_share=0.15),
    Scenario("poison event", plant_poison, seconds=20, short=5),
    Scenario("broker", kill_the_broker, seconds=25, short=6),
    Scenario("postgres", kill_postgres, seconds=25, short=6),
    Scenario("frozen process", freeze, seconds=30, short=15),
    Scenario("bad deploy", deploy_a_bad_version, seconds=20, short=6),
)


def _times(seconds: float) -> int:
    return max(1, int(seconds // _RESTART_SECONDS))


async def _kill_in_turn(victims: list[str], stage: Stage, choice: random.Random, seconds: float) -> None:
    gap = seconds / (len(victims) + 1)
    for victim in victims:
        await asyncio.sleep(gap * choice.uniform(0.5, 1.2))
        stage.tell(f"kill -9 {victim}")
        await kill(stage.running, victim)


def _poison(tenant_id: str) -> Record:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(new_id()),
        "ce_type": MessageAdded.type,
        "ce_tenantid": tenant_id,
        "content-type": "application/json",
    }
    return Record(MessageAdded.topic(), key=tenant_id, headers=headers, data=b'{"poison":true}', personal=None)


async def _letters(process: str, stage: Stage) -> list[dict[str, Any]]:
    return await Reader(stage.admin).items(f"/v1/operations/{process}/dead-letters")
