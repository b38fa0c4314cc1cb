"""Plays the morning: `python -m deploy.simulator.demo --minutes 5`, beside `make run`."""

import argparse
import asyncio
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live

from deploy.local.files import read_object
from deploy.local.plan import Ports
from deploy.processes import REPOSITORY
from deploy.simulator.demo.screen import screen
from deploy.simulator.demo.stage import Stage, set_stage
from deploy.simulator.demo.watch import View, Watcher

_LONGEST_MINUTES = 60
_AFTERWARDS_SECONDS = 60
"""For what is still on its way when the morning is over."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.simulator.demo", description="A morning at the counter.")
    parser.add_argument("--minutes", type=_minutes, default=5.0, help="how long it takes (5)")
    parser.add_argument("--demo", type=Path, default=REPOSITORY / ".local" / "demo.json", help="the demo tenant's file")
    wanted = parser.parse_args()
    demo, ports = read_object(wanted.demo), Ports.of_environment()
    if demo is None or not _answers(ports):
        print("The counter is closed: start it with `make run`, and play the morning beside it.", file=sys.stderr)
        return 1
    try:
        view = asyncio.run(_play(demo, ports, wanted.minutes * 60))
    except KeyboardInterrupt:
        return 130
    print(
        f"\n{view.written} messages of customers, {view.answers} answers, {view.accepted} accepted by the provider, "
        f"{view.twice} of them twice; {view.waiting_count} customers still wait."
    )
    return 1 if view.twice else 0


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes <= _LONGEST_MINUTES:
        raise argparse.ArgumentTypeError(f"must be more than 0 and at most {_LONGEST_MINUTES}")
    return minutes


def _answers(ports: Ports) -> bool:
    try:
        return all(httpx.get(f"{ports.url(name)}/live", timeout=5).is_success for name in ("gateway", "simulator"))
    except httpx.TransportError:
        return False


async def _play(demo: dict[str, Any], ports: Ports, seconds: float) -> View:
    console = Console()
    async with AsyncExitStack() as stack:
        stage = await set_stage(stack, demo, ports.url("gateway"), ports.url("simulator"), seconds)
        stack.push_async_callback(stage.restore)
        watcher = Watcher(stage)
        await watcher.begin()
        live = stack.enter_context(Live(console=console, auto_refresh=False, screen=console.is_terminal))
        async with asyncio.TaskGroup() as group:
            playing = group.create_task(stage.play())
            return await _show(watcher, live, playing, stage)


async def _show(watcher: Watcher, live: Live, playing: "asyncio.Task[None]", stage: Stage) -> View:
    """Until the morning is over and all that was answered has left, or some seconds longer."""
    until = stage.started + stage.seconds + _AFTERWARDS_SECONDS
    while True:
        view = await watcher.look()
        live.update(screen(view), refresh=True)
        if playing.done() and (view.accepted >= view.answers or time.monotonic() > until):
            return view
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
