"""Processes are kept alive, stopped in order, and never left behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from deploy.local.journal import Journal
from deploy.local.supervisor import Program, StartError, Supervisor, supervised
from deploy.processes import REPOSITORY

_ORPHANS = """
import asyncio, pathlib, sys
from deploy.local.journal import Journal
from deploy.local.supervisor import Program, supervised

async def main(root):
    async with supervised(root, Journal(root / "logs")) as supervisor:
        await supervisor.start(Program("sleeper", ["sleep", "1000"], root), within=5)
        print("started", flush=True)
        await asyncio.sleep(1000)

asyncio.run(main(pathlib.Path(sys.argv[1])))
"""


@asynccontextmanager
async def _supervised(root: Path) -> AsyncIterator[Supervisor]:
    journal = Journal(root / "logs")
    async with supervised(root, journal) as supervisor:
        yield supervisor
    journal.close()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def _shell(name: str, script: str, root: Path) -> Program:
    return Program(name, ["sh", "-c", script], root)


async def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    async with _supervised(tmp_path) as supervisor:
        await supervisor.start(_shell("sleeper", "exec sleep 1000", tmp_path), within=5)
        first = supervisor.pids()["sleeper"]
        supervisor.kill("sleeper")
        await _until(lambda: supervisor.pids().get("sleeper", first) != first)
        assert (tmp_path / "pids.json").read_text() == f'{{"sleeper": {supervisor.pids()["sleeper"]}}}'


async def test_the_last_layer_stops_first_and_nothing_is_left(tmp_path: Path) -> None:
    script = "trap 'echo {name} >> stopped; exit' TERM; echo up > {name}; while :; do sleep 0.02; done"
    async with _supervised(tmp_path) as supervisor:
        for name in ("database", "service"):
            await supervisor.start(_shell(name, script.format(name=name), tmp_path), within=5)
            await _until((tmp_path / name).exists)
        pids = supervisor.pids().values()
    assert (tmp_path / "stopped").read_text().split() == ["service", "database"]
    assert not any(map(_lives, pids))


async def test_a_process_that_ends_while_starting_is_told_with_its_last_words(tmp_path: Path) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    program = Program("service", ["sh", "-c", "echo the setting is missing; exit 3"], tmp_path, up=never)
    async with _supervised(tmp_path) as supervisor:
        with pytest.raises(StartError) as caught:
            await supervisor.start(program, within=5)
    assert str(caught.value) == "service ended while starting: exit code 3\n  the setting is missing"


async def test_a_process_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    program = Program("stubborn", ["sh", "-c", "trap '' TERM; touch up; sleep 1000"], tmp_path, stop_seconds=0.1)
    async with _supervised(tmp_path) as supervisor:
        await supervisor.start(program, within=5)
        await _until((tmp_path / "up").exists)
        pid = supervisor.pids()["stubborn"]
    assert not _lives(pid)


async def test_one_that_is_told_to_end_ends_as_it_likes_and_is_not_started_again(tmp_path: Path) -> None:
    async with _supervised(tmp_path) as supervisor:
        program = _shell("service", "trap 'exit 3' TERM; touch up; while :; do sleep 0.02; done", tmp_path)
        for _ in range(2):
            await supervisor.start(program, within=5)
            await _until((tmp_path / "up").exists)
            ending = await supervisor.end("service")
            assert ending.code == 3
            assert 0 < ending.seconds < program.stop_seconds
            assert supervisor.pids() == {}
            (tmp_path / "up").unlink()
        with pytest.raises(KeyError):
            await supervisor.end("service")


async def test_nothing_survives_a_killed_supervisor_beyond_the_next_start(tmp_path: Path) -> None:
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _ORPHANS, tmp_path), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    assert killed.stdout is not None
    assert await killed.stdout.readline() == b"started\n"
    with pytest.raises(StartError, match="already runs"):
        async with _supervised(tmp_path):
            pass
    orphans = [child.pid for child in psutil.Process(killed.pid).children()]
    os.kill(killed.pid, signal.SIGKILL)
    await killed.wait()
    async with _supervised(tmp_path) as supervisor:
        assert len(orphans) == 1
        assert not any(map(_lives, orphans))
        assert supervisor.pids() == {}


async def test_leftovers_are_stopped_and_strangers_with_their_number_are_not(tmp_path: Path) -> None:
    pids = tmp_path / "pids.json"
    leftover, stranger = [await asyncio.create_subprocess_exec("sleep", "1000") for _ in range(2)]
    pids.write_text(f'{{"stranger": {stranger.pid}}}')
    os.utime(pids, (0, 0))
    async with _supervised(tmp_path):
        assert _lives(stranger.pid)
    pids.write_text(f'{{"leftover": {leftover.pid}}}')
    async with _supervised(tmp_path):
        assert not _lives(leftover.pid)
    stranger.kill()
    await asyncio.gather(leftover.wait(), stranger.wait())
