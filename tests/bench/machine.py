"""What the operating system tells of the machine and its processes: CPU, memory, and what the hypervisor took."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """What each process has spent so far, with its children."""
    return {name: _spent(psutil.Process(pid)) for name, pid in pids.items()}


def waited_seconds(pids: Iterable[int]) -> float:
    """How long all threads of these processes and of their children have waited so far for a core to run on."""
    return sum(_waited(psutil.Process(pid)) for pid in pids)


def resident_megabytes(pids: Mapping[str, int]) -> dict[str, float]:
    """The memory that each process has now."""
    return {name: _kilobytes(pid, "VmRSS") / 1024 for name, pid in pids.items()}


def peak_megabytes(pids: Mapping[str, int]) -> dict[str, float]:
    """The most memory that each process ever had."""
    return {name: _kilobytes(pid, "VmHWM") / 1024 for name, pid in pids.items()}


@dataclass(frozen=True, slots=True)
class Clock:
    """CPU seconds of the whole machine since it was started."""

    all: float
    stolen: float
    """Given to others by the hypervisor."""
    foreign: float
    """Spent by whoever is not of this run."""

    @classmethod
    def now(cls) -> Self:
        times, ours = psutil.cpu_times(), _spent(psutil.Process())
        whole = sum(times) - times.guest - times.guest_nice
        return cls(whole, times.steal, whole - times.idle - times.iowait - times.steal - ours)

    def shares_since(self, before: Self) -> tuple[float, float]:
        """What was stolen and what was foreign, of all that there was."""
        whole = self.all - before.all
        # Told in ticks, and of children when they end, it may come out a little below nothing.
        return (self.stolen - before.stolen) / whole, max(0.0, self.foreign - before.foreign) / whole


@contextmanager
def standing_still(pids: Iterable[int]) -> Iterator[None]:
    """Let these processes do nothing meanwhile."""
    processes = [psutil.Process(pid) for pid in pids]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


@contextmanager
def going_on(pids: Iterable[int]) -> Iterator[None]:
    """Let these processes, which stand still, work meanwhile."""
    processes = [psutil.Process(pid) for pid in pids]
    for process in processes:
        process.resume()
    try:
        yield
    finally:
        for process in processes:
            process.suspend()


def _spent(process: psutil.Process) -> float:
    try:
        times, children = process.cpu_times(), process.children()
    except psutil.NoSuchProcess:
        # Some of Postgres' children come and go; then their parent has it in his account.
        return 0.0
    own = times.user + times.system + times.children_user + times.children_system
    return own + sum(_spent(child) for child in children)


def _waited(process: psutil.Process) -> float:
    found = 0.0
    # Threads and children come and go.
    with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found += int((thread / "schedstat").read_text().split()[1]) / 1e9
        found += sum(_waited(child) for child in process.children())
    return found


def _kilobytes(pid: int, name: str) -> int:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status[name].split()[0])
