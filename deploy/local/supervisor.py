"""Starts processes in layers, keeps them alive, and leaves none behind."""

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from deploy.local.files import read_object, write_private
from deploy.local.journal import Journal

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_LONG_ALIVE: Final = 30.0
_LEFTOVER_SECONDS: Final = 5.0
_OUTPUT_SECONDS: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1

_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


class StartError(Exception):
    """Something cannot start; the text is the reason, in plain lines."""


class _EndedError(Exception):
    """A process ended before it was up."""


async def at_once() -> None:
    """Nothing to wait for."""


@dataclass(frozen=True, slots=True)
class Program:
    """A process as data."""

    name: str
    command: Sequence[str | Path]
    directory: Path
    up: Callable[[], Coroutine[Any, Any, None]] = at_once
    """Returns once the process serves. Awaited after every start of it; what it raises ends the process."""
    around: Callable[[], contextlib.AbstractAsyncContextManager[None]] = contextlib.nullcontext
    """Entered before every start of it and left once it is up; what it raises ends the process, too."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What it finds in its environment beside our own."""
    user: str | None = None
    """The system user to run as, where that is not ours."""
    stop: signal.Signals = signal.SIGTERM
    stop_seconds: float = 3
    orphaned: signal.Signals = signal.SIGKILL
    """What reaches it, on Linux, when the supervisor is killed."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended that was told to stop."""

    seconds: float
    """How long it took."""
    code: int
    """Its exit code, or the number of the signal that ended it, negative."""


@contextlib.asynccontextmanager
async def supervised(root: Path, journal: Journal) -> AsyncIterator["Supervisor"]:
    """A supervisor of the processes of `root`; what a killed one left is stopped first, and everything at the end.

    To be called on the main thread: Linux ends children together with the thread that started them. Raises
    `StartError` while another supervisor works in the same folder.
    """
    with alone(root):
        await asyncio.to_thread(stop_leftovers, root)
        supervisor = Supervisor(root, journal)
        try:
            yield supervisor
        finally:
            await supervisor.stop()


class Supervisor:
    """The processes of one run; `<root>/pids.json` tells at any time which are alive."""

    def __init__(self, root: Path, journal: Journal) -> None:
        self._pids_file = root / "pids.json"
        self.journal = journal
        self._layers: list[list[_Kept]] = []
        self._alive: dict[str, asyncio.subprocess.Process] = {}
        self._readers: set[asyncio.Task[None]] = set()

    async def start(self, *programs: Program, within: float) -> None:
        """Start programs side by side, keep them alive from now on, and return once all are up.

        Raises `StartError` when one ends before that, or when it takes longer than `within` seconds.
        """
        layer = [_Kept(program) for program in programs]
        self._layers.append(layer)
        for kept in layer:
            kept.task = asyncio.create_task(self._keep(kept), name=f"keep {kept.program.name}")
        try:
            async with asyncio.timeout(within):
                await asyncio.gather(*(kept.started for kept in layer))
        except TimeoutError:
            late = [kept.program.name for kept in layer if kept.started.cancelled()]
            raise self._start_error(late[0], f"{', '.join(late)}: not ready after {within:g} s") from None

    async def run(self, program: Program, *, within: float) -> None:
        """Run a program to its end, off the terminal; raises `StartError` unless it succeeds within these seconds."""
        process, output = await self._spawn(program, shown=False)
        try:
            async with asyncio.timeout(within):
                code = await process.wait()
                await output
        except TimeoutError:
            raise self._start_error(program.name, f"{program.name} took longer than {within:g} s") from None
        finally:
            _kill_group(process)
            self._forget(program)
        if code:
            raise self._start_error(program.name, f"{program.name} failed ({_ending(code)})")

    def pids(self) -> dict[str, int]:
        """The live processes by name."""
        return {name: process.pid for name, process in self._alive.items()}

    def kill(self, name: str) -> None:
        """`kill -9`; the process is started again like any that ends. Raises `KeyError` when it is not alive."""
        _send(self._alive[name], signal.SIGKILL)

    async def end(self, name: str) -> Ending:
        """Stop one process, and start it no more; raises `KeyError` when it is not alive."""
        process = self._alive[name]
        [(layer, kept)] = [(layer, kept) for layer in self._layers for kept in layer if kept.program.name == name]
        await self._give_up([kept])
        layer.remove(kept)
        told = time.monotonic()
        await self._end(kept.program)
        return Ending(time.monotonic() - told, await process.wait())

    async def stop(self) -> None:
        """Stop everything, the last layer first; when cancelled meanwhile, kill what is left."""
        try:
            await self._give_up([kept for layer in self._layers for kept in layer])
            for layer in reversed(self._layers):
                await asyncio.gather(*(self._end(kept.program) for kept in layer))
            if self._readers:
                await asyncio.wait(self._readers, timeout=_OUTPUT_SECONDS)
        finally:
            for process in self._alive.values():
                _kill_group(process)
            for reader in self._readers:
                reader.cancel()
            await asyncio.gather(*self._readers, return_exceptions=True)

    async def _give_up(self, given_up: "Sequence[_Kept]") -> None:
        """Start these no more; what runs goes on."""
        tasks = {kept.task for kept in given_up if kept.task}
        # Once is not enough: clients of a broker swallow a cancellation that finds them closing.
        while tasks := {task for task in tasks if not task.done()}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_OUTPUT_SECONDS)

    async def _end(self, program: Program) -> None:
        process = self._alive.get(program.name)
        if process is None:
            return
        _send(process, program.stop)
        try:
            async with asyncio.timeout(program.stop_seconds):
                await process.wait()
        except TimeoutError:
            self.journal.say(f"{program.name} did not stop in {program.stop_seconds:g} s and was killed")
            _kill_group(process)
            await process.wait()
        self._forget(program)

    async def _keep(self, kept: "_Kept") -> None:
        name, pause = kept.program.name, _FIRST_PAUSE
        while True:
            born = time.monotonic()
            ending = await self._live(kept)
            if not kept.started.done():
                kept.started.set_exception(self._start_error(name, f"{name} ended while starting: {ending}"))
                return
            if time.monotonic() - born > _LONG_ALIVE:
                pause = _FIRST_PAUSE
            self.journal.say(f"{name} ended ({ending}) and starts again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _live(self, kept: "_Kept") -> str:
        """One life of a process; says how it ended."""
        process, reason = None, ""
        try:
            async with kept.program.around():
                process, output = await self._spawn(kept.program, shown=True)
                await _serves(process, kept.program)
        except _EndedError:
            # How is told by its exit code.
            pass
        except StartError as error:
            reason = f"{error}; "
        except Exception as failure:  # noqa: BLE001 - whatever keeps a program from serving, it is tried again
            reason = f"{type(failure).__name__}: {failure}; "
        else:
            if kept.started.done():
                self.journal.say(f"{kept.program.name} is back")
            else:
                kept.started.set_result(None)
        if process is None:
            return reason.removesuffix("; ")
        if reason:
            _send(process, signal.SIGKILL)
        code = await process.wait()
        self._forget(kept.program)
        # Children of a killed process may hold its output open a little longer.
        await asyncio.wait({output}, timeout=_OUTPUT_SECONDS)
        return reason + _ending(code)

    async def _spawn(self, program: Program, *, shown: bool) -> tuple[asyncio.subprocess.Process, asyncio.Task[None]]:
        reading, writing = os.pipe()
        output = asyncio.create_task(self._read(program.name, reading, shown=shown))
        self._readers.add(output)
        output.add_done_callback(self._readers.discard)
        try:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                cwd=program.directory,
                env={**os.environ, **program.environment},
                # Ctrl-C reaches a terminal's whole foreground group, and only the supervisor is to hear it.
                start_new_session=True,
                preexec_fn=_dies_with_us(program.orphaned),
                **_identity(program.user),
            )
        except OSError as error:
            raise StartError(f"{program.name} cannot be run: {error}") from error
        finally:
            os.close(writing)
        self._alive[program.name] = process
        self._tell_pids()
        return process, output

    async def _read(self, name: str, descriptor: int, *, shown: bool) -> None:
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", 0)
        )
        unfinished = b""
        try:
            while chunk := await stream.read(1 << 16):
                *lines, unfinished = (unfinished + chunk).split(b"\n")
                for line in lines:
                    self.journal.write(name, line.decode(errors="replace").rstrip(), shown=shown)
            if unfinished:
                self.journal.write(name, unfinished.decode(errors="replace").rstrip(), shown=shown)
        finally:
            transport.close()

    def _start_error(self, name: str, reason: str) -> StartError:
        return StartError("\n".join([reason, *(f"  {line}" for line in self.journal.last(name))]))

    def _forget(self, program: Program) -> None:
        if self._alive.pop(program.name, None) is not None:
            self._tell_pids()

    def _tell_pids(self) -> None:
        write_private(self._pids_file, json.dumps(self.pids()))


@dataclass(slots=True)
class _Kept:
    program: Program
    started: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    task: asyncio.Task[None] | None = None


def leftovers(root: Path) -> dict[str, psutil.Process]:
    """The processes named by `<root>/pids.json` that still run."""
    path, found = root / "pids.json", dict[str, psutil.Process]()
    for name, pid in (read_object(path) or {}).items():
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, TypeError, ValueError):
            written = path.stat().st_mtime
            process = psutil.Process(pid)
            # A process younger than the file is a stranger who was given the number of one that is gone.
            if process.create_time() < written + 1 and _runs(process):
                found[name] = process
    return found


def stop_leftovers(root: Path) -> None:
    """End what a killed supervisor left in this folder; blocks for up to five seconds a process."""
    for name, process in reversed(leftovers(root).items()):
        with contextlib.suppress(psutil.NoSuchProcess):
            # On SIGQUIT Postgres ends its children too; on SIGKILL they would hold its memory a little longer.
            process.send_signal(signal.SIGQUIT if name == "postgres" else signal.SIGKILL)
            wait_for_end(process, _LEFTOVER_SECONDS)
            process.kill()
    (root / "pids.json").unlink(missing_ok=True)


def wait_for_end(process: psutil.Process, seconds: float) -> None:
    """Return when it has ended, or after so many seconds."""
    deadline = time.monotonic() + seconds
    while _runs(process) and time.monotonic() < deadline:
        time.sleep(0.02)


def _runs(process: psutil.Process) -> bool:
    # Not every container has an init that buries the dead, and psutil itself waits for their burial.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold the folder, made if need be, against every other run; raises `StartError` if another has it."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"Balcão already runs from {root}; stop that run first") from None
        yield


async def _serves(process: asyncio.subprocess.Process, program: Program) -> None:
    """Return once the process is up; raises `_EndedError` when it ends before, and what its `up` raises."""
    exit_, up = asyncio.create_task(process.wait()), asyncio.create_task(program.up())
    try:
        await asyncio.wait({exit_, up}, return_when=asyncio.FIRST_COMPLETED)
        if not up.done():
            raise _EndedError
        await up
    finally:
        exit_.cancel()
        up.cancel()
        await asyncio.wait({exit_, up})


def _dies_with_us(orphaned: signal.Signals) -> Callable[[], None] | None:
    if _libc is None:
        return None
    us = os.getpid()

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, orphaned)
        if os.getppid() != us:
            os._exit(1)

    return prepare


def _identity(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _kill_group(process: asyncio.subprocess.Process) -> None:
    """Kill a process that still runs, and its children: it leads a group of its own."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
