"""The bench: `python -m tests.bench` measures the whole set on Apache Kafka beside the bare chain, and prints a table.

`--only name,name` runs single steps after the warm-up; then `.local/bench.json` stays as it is.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local.keys import Keys
from deploy.local.plan import free_ports
from deploy.local.postgres import Postgres
from deploy.local.running import running_set
from deploy.local.supervisor import StartError
from deploy.processes import REPOSITORY
from shared.http import ContextSigner
from tests.bench.chains import balcao, bare_chain
from tests.bench.figures import Circumstances, Figure, as_json, table
from tests.bench.machine import Clock, standing_still
from tests.bench.setting import ROOM, Setting, hire_agents
from tests.bench.steps import STEPS
from tests.bench.steps.saturation import growth

_ALWAYS: Final = "warm-up"
_LOCAL: Final = REPOSITORY / ".local"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measures speed and size.")
    parser.add_argument("--only", type=_steps, default=tuple(STEPS), metavar="name,name", help=", ".join(STEPS))
    steps = parser.parse_args().only
    figures: list[Figure] = []
    try:
        asyncio.run(_measure(steps, figures))
    except StartError as error:
        print(f"balcao: {error}", file=sys.stderr)  # noqa: T201 - what this program is for
        return 1
    finally:
        # What was measured before a step failed is worth its minutes, too.
        print(*table([*figures, *growth(figures)]), sep="\n")  # noqa: T201
    if set(steps) == set(STEPS):
        (_LOCAL / "bench.json").write_text(
            json.dumps(as_json([*figures, *growth(figures)]), indent=2, ensure_ascii=False) + "\n"
        )
    return 0


def _steps(text: str) -> tuple[str, ...]:
    wanted = {_ALWAYS, *text.split(",")}
    if unknown := wanted - set(STEPS):
        raise argparse.ArgumentTypeError(f"knows no {', '.join(sorted(unknown))}; it knows {', '.join(STEPS)}")
    return tuple(name for name in STEPS if name in wanted)


async def _measure(steps: Sequence[str], figures: list[Figure]) -> None:
    """One step after the other, in one running set; it is of this run alone, and on the disk of the repository."""
    console = Console(highlight=False)
    columns = (TextColumn("{task.description:<16}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    _LOCAL.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=_LOCAL, ignore_cleanup_errors=True) as folder,
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
    ):
        task = progress.add_task("start", total=len(steps) + 1)
        async with running_set(Path(folder), free_ports().base, kafka="apache", environment=ROOM) as running:
            keys = Keys.of(Path(folder))
            admin_url = Postgres(Path(folder), running.ports["postgres"], keys.derived("postgres")).admin_url
            whole, bare = balcao(running, admin_url), await bare_chain(running, admin_url)
            setting = Setting(running, admin_url, whole, bare, ContextSigner(keys.caller_private_key))
            await hire_agents(setting)
            with standing_still(setting.bare.python.values()):
                for name in steps:
                    progress.update(task, description=name, advance=1)
                    measured, circumstances = await _step(name, setting)
                    console.print(f"{name:<16}{circumstances}", soft_wrap=True)
                    figures += measured
            progress.update(task, description="stop", advance=1)


async def _step(name: str, setting: Setting) -> tuple[list[Figure], Circumstances]:
    clock, began = Clock.now(), time.monotonic()
    setting.outcomes.clear()
    figures = await STEPS[name](setting)
    stolen, foreign = Clock.now().shares_since(clock)
    return figures, Circumstances(
        seconds=time.monotonic() - began,
        stolen=stolen,
        foreign=foreign,
        generator=max((one.cpu_seconds / one.busy_seconds for one in setting.outcomes), default=None),
        late=max((one.latest for one in setting.outcomes), default=0),
    )


if __name__ == "__main__":
    sys.exit(main())
