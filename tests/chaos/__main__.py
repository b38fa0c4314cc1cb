"""Breaks everything under load and counts what that cost: `python -m tests.chaos [--short] [--seed N]`.

Starts the whole set, on Apache Kafka where there are Java and Maven; lets customers write and agents answer while one
part after the other fails; waits after each fault until everything is caught up, and reconciles what stands where with
what was acknowledged and with the provider's ledger. Writes `.local/chaos.json`, and ends with 1 unless every count is
zero.
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from deploy.local.plan import free_ports
from deploy.local.running import Kind, running_set
from deploy.processes import PROCESSES, REPOSITORY
from tests.chaos.faults import SCENARIOS, Damage, Scenario
from tests.chaos.reconciliation import Verdict, missing, reconcile
from tests.chaos.stage import BEHAVIOUR, CAUGHT_UP_SECONDS, Stage, Writing, caught_up, evidence_of, stage

REPORT: Final = REPOSITORY / ".local" / "chaos.json"
_BROKEN: Final = REPOSITORY / ".local" / "chaos-broken"
_ROOM: Final = {"GATEWAY_REQUESTS_PER_MINUTE_AND_KEY": "60000"}
_SHOWN: Final = 5
"""How many faults of a kind are told; the report has all."""


@dataclass
class Played:
    """One scenario, as far as it has come."""

    scenario: Scenario
    writing: Writing
    damage: Damage = field(default_factory=Damage)
    first_look: int = 0
    """Where in the list of all looks at the agents' loads its own begin; they end where the next one's begin."""
    left: Mapping[str, int] | None = None
    """What was not caught up in time."""
    seconds: float | None = None
    """From the end of load and fault until all was caught up; none where nobody waited for it."""
    verdict: Verdict | None = None
    answers: int = 0
    """How many answers of agents were taken meanwhile, to whomever they were."""
    unknown: int = 0
    """Answers of which nobody knows whether they left."""

    besides: list[str] = field(default_factory=list)
    """What else is wrong."""

    @property
    def complaints(self) -> list[str]:
        late = [f"{what}: {count} after {CAUGHT_UP_SECONDS} s" for what, count in (self.left or {}).items()]
        return [*late, *self.damage.complaints, *self.besides]

    @property
    def is_clean(self) -> bool:
        return self.verdict is not None and self.verdict.is_clean and not self.complaints


async def main(seed: int, *, short: bool) -> bool:
    """Play all scenarios; whether every promise was kept."""
    kafka: Kind = "apache" if shutil.which("java") and shutil.which("mvn") else "embedded"
    root = REPOSITORY / ".local" / "chaos"
    shutil.rmtree(root, ignore_errors=True)
    _say(f"seed {seed}, on {kafka}; logs in {root / 'logs'}")
    began = time.monotonic()

    def tell(what: str) -> None:
        _say(f"{time.monotonic() - began:6.1f} s  {what}")

    async with (
        running_set(root, free_ports().base, kafka=kafka, environment=_ROOM) as running,
        stage(running, root, tell, commits=kafka == "apache") as on_stage,
    ):
        tell("everything is ready")
        played = await _play_all(on_stage, seed, short=short)
        tell("everything is reconciled")
    _report(seed, kafka, played)
    is_clean = all(one.is_clean for one in played)
    if not is_clean:
        # The next run begins in an empty folder.
        kept = shutil.copytree(root / "logs", _BROKEN / str(seed), dirs_exist_ok=True)
        _say(f"its logs are kept in {kept}")
    return is_clean


async def _play_all(on_stage: Stage, seed: int, *, short: bool) -> list[Played]:
    played: list[Played] = []
    for number, scenario in enumerate(SCENARIOS):
        one = Played(scenario, Writing.of(number, scenario.short if short else scenario.seconds))
        played.append(one)
        await _play(one, on_stage, random.Random(f"{seed}/{scenario.name}"))
        # In the short form each fault meets what the one before it has left to be done.
        if not short or scenario is SCENARIOS[-1]:
            await _wait_for(played, on_stage)
            await _judge(played, on_stage)
    return played


async def _play(one: Played, on_stage: Stage, choice: random.Random) -> None:
    on_stage.tell(f"{one.scenario.name}: {len(one.writing.texts)} messages, each posted twice")
    fate = {"seed": choice.randrange(2**31), "time_out_share": one.scenario.time_out_share}
    (await on_stage.simulator.put("/behaviour", json={**BEHAVIOUR, **fate})).raise_for_status()
    one.first_look, answered = len(on_stage.loads), len(on_stage.staff.answered)
    async with on_stage.staff.working(), asyncio.TaskGroup() as group:
        group.create_task(one.writing.post(on_stage.whatsapp, random.Random(choice.random())))
        group.create_task(one.scenario.fault(on_stage, choice, one.writing.seconds, one.damage))
    one.answers = len(on_stage.staff.answered) - answered


async def _wait_for(played: Sequence[Played], on_stage: Stage) -> None:
    """Until everything that was ever written is caught up."""
    began = time.monotonic()
    ids = [id_ for one in played for id_ in one.writing.posted.acknowledged_at]
    last = played[-1]
    last.left = await caught_up(on_stage, ids)
    last.seconds = round(time.monotonic() - began, 1)
    on_stage.tell(f"{last.scenario.name}: {_list(last.left) or 'caught up'} after {last.seconds} s")


async def _judge(played: Sequence[Played], on_stage: Stage) -> None:
    """Reconcile all scenarios so far: what a fault undoes may be older than it."""
    ends = [*(one.first_look for one in played[1:]), len(on_stage.loads)]
    for one, end in zip(played, ends, strict=True):
        loads = on_stage.loads[one.first_look : end]
        evidence = await evidence_of(on_stage, one.writing, loads, one.damage.replayed)
        one.verdict = reconcile(evidence)
        one.unknown = sum(message.status == "unknown" for message in evidence.history)
        one.besides = [await _last_trace(id_, on_stage) for id_ in missing(evidence)[:_SHOWN]]
        if not loads:
            one.besides.append("nobody looked at who had how much to do")
    if not sum(one.answers for one in played):
        played[-1].besides.append("nobody ever answered")
    played[-1].besides += [told async for told in _unplanted(played, on_stage)]


async def _last_trace(id_: str, on_stage: Stage) -> str:
    traces = await on_stage.books.whereabouts(id_)
    return f"{id_} left {f'its last trace in {traces[-1]}' if traces else 'no trace'}"


async def _unplanted(played: Sequence[Played], on_stage: Stage) -> AsyncIterator[str]:
    for process in PROCESSES:
        planted = sum(one.damage.poisoned.get(process, 0) for one in played)
        letters = await on_stage.books.dead_letters(process)
        if len(letters) != planted:
            yield f"{process} has {len(letters)} dead letters where {planted} were planted"


def _report(seed: int, kafka: str, played: Sequence[Played]) -> None:
    shown = {one.scenario.name: _shown(one) for one in played}
    REPORT.write_text(json.dumps({"seed": seed, "broker": kafka, "scenarios": shown}, indent=2))
    columns = ("answers", "lost", "duplicated", "out of order", "blindly resent", "over capacity")
    _say("")
    _say(
        f"{'scenario':16}{'messages':>9}"
        + "".join(f"{name:>16}" for name in columns)
        + f"{'caught up, s':>14}  verdict"
    )
    for name, one in shown.items():
        counts = "".join(f"{one[column]:>16}" for column in columns)
        verdict = "kept" if one["kept"] else "BROKEN"
        seconds = one["caught up after seconds"] or "-"
        _say(f"{name:16}{one['messages']:>9}{counts}{seconds:>14}  {verdict}")
    for name, one in shown.items():
        for kind, told in one["faults"].items():
            for sentence in told[:_SHOWN]:
                _say(f"{name}: {kind}: {sentence}")


def _shown(one: Played) -> dict[str, Any]:
    faults = dict(one.verdict.faults) if one.verdict is not None else {}
    return {
        "messages": len(one.writing.posted.acknowledged_at),
        **{kind: len(told) for kind, told in faults.items()},
        "answers": one.answers,
        "outcome unknown": one.unknown,
        "dead letters planted": sum(one.damage.poisoned.values()),
        "dead letters replayed": one.damage.buried,
        "caught up after seconds": one.seconds,
        "kept": one.is_clean,
        "faults": {kind: list(told) for kind, told in {**faults, "besides": one.complaints}.items() if told},
    }


def _list(left: Mapping[str, int]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in left.items())


def _say(what: str) -> None:
    print(what, flush=True)  # noqa: T201 - what this program is for


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="shorter loads, in three minutes at most")
    parser.add_argument("--seed", type=int, default=random.randrange(2**31), help="repeats what a run printed")
    wanted = parser.parse_args()
    sys.exit(not asyncio.run(main(wanted.seed, short=wanted.short)))
