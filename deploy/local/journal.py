"""Every line the processes write: into a file each, and onto the terminal under a coloured name."""

import os
from collections import deque
from pathlib import Path
from typing import BinaryIO, Final, TextIO

_COLOURS: Final = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_KEPT_LINES: Final = 5
_NAME_WIDTH: Final = 12


class Journal:
    """Holds the log files of one run open until it is closed; what the run before wrote stays as `<name>.log.1`."""

    def __init__(self, folder: Path, terminal: TextIO | None = None) -> None:
        self._folder = folder
        self._terminal = terminal
        self._coloured = terminal is not None and terminal.isatty() and "NO_COLOR" not in os.environ
        self._files: dict[str, BinaryIO] = {}
        self._last: dict[str, deque[str]] = {}

    def say(self, line: str) -> None:
        """A line of the run itself."""
        self.write("balcao", line)

    def write(self, name: str, line: str, *, shown: bool = True) -> None:
        """Record a line; one that is not `shown` stays off the terminal."""
        if name not in self._files:
            self._files[name] = self._open(name)
            self._last[name] = deque(maxlen=_KEPT_LINES)
        self._last[name].append(line)
        self._files[name].write(f"{line}\n".encode())
        if shown:
            self._show(name, line)

    def last(self, name: str) -> list[str]:
        """The last few lines of a process, oldest first."""
        return list(self._last.get(name, ()))

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _open(self, name: str) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.log"
        if path.exists():
            path.replace(path.with_suffix(".log.1"))
        return path.open("wb", buffering=0)

    def _show(self, name: str, line: str) -> None:
        if self._terminal is None:
            return
        label = f"{name:<{_NAME_WIDTH}} |"
        if self._coloured:
            colour = _COLOURS[list(self._files).index(name) % len(_COLOURS)]
            label = f"\x1b[{colour}m{label}\x1b[0m"
        try:
            print(label, line, file=self._terminal, flush=True)
        except OSError:
            # The terminal was closed; what runs is stopped by a signal, not by a lost screen.
            self._terminal = None
