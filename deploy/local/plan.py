"""What runs where: names, ports and environments of the local run, as data."""

import json
import os
import random
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

import psutil

from deploy.local.keys import Keys
from deploy.local.supervisor import StartError
from deploy.processes import PROCESSES
from deploy.provision import ServiceDatabase

HOST: Final = "127.0.0.1"
_OTHER_PORTS: Final = {"simulator": 10, "postgres": 32, "broker": 92, "controller": 93}
_NEXT_REPLICA: Final = 20
"""How far the ports of a second, third and fourth of each process are from those of the one before."""
_CLAIM: Final = 99
"""The port of each hundred on which whoever was given it listens, so that nobody else is before its servers do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens, counted from `base` (`BALCAO_PORT_BASE`)."""

    base: int = 8000

    @classmethod
    def of_environment(cls) -> Self:
        """From `BALCAO_PORT_BASE`, or 8000; raises `StartError` for what cannot be one."""
        text = os.environ.get("BALCAO_PORT_BASE", "8000")
        if not text.isdecimal() or not 1024 <= int(text) <= 65_000:
            raise StartError(f"BALCAO_PORT_BASE must be a number from 1024 to 65000, not {text!r}")
        return cls(int(text))

    def __getitem__(self, name: str) -> int:
        """The port of a process, of a replica of one ("routing-2") or of what else runs; raises `KeyError`."""
        if name in _OTHER_PORTS:
            return self.base + _OTHER_PORTS[name]
        process, number = replica(name)
        return self.base + PROCESSES.index(process) + _NEXT_REPLICA * (number - 1)

    def __iter__(self) -> Iterator[str]:
        return iter((*PROCESSES, *_OTHER_PORTS))

    def url(self, process: str) -> str:
        """Where a process, or the simulator, answers."""
        return f"http://{HOST}:{self[process]}"

    def ensure_free(self, *names: str) -> None:
        """Raises `StartError`, which tells the port that is taken and, where the system says it, by whom."""
        for name in names or self:
            port = self[name]
            if not _is_free(port):
                raise StartError(
                    f"port {port}, needed by {name}, is taken{_holder(port)}; "
                    "free it, or move all ports with BALCAO_PORT_BASE"
                )


def replica(name: str) -> tuple[str, int]:
    """The process that "routing-2" is one more of, and which one it is; raises `KeyError` for none that can be."""
    process, _, number = name.partition("-")
    if process not in PROCESSES or number not in {"", "2", "3", "4"}:
        raise KeyError(name)
    return process, int(number or 1)


def free_ports() -> Ports:
    """Ports that nobody listens on now, and that nobody else is given as long as this process lives; below the range
    from which systems give out ports by themselves."""
    for base in random.sample(range(10_000, 32_000, 100), 100):
        ports = Ports(base)
        if _claimed(base + _CLAIM) and all(_is_free(ports[name]) for name in ports):
            return ports
    raise StartError("found no hundred free ports between 10000 and 32000")


def _claimed(port: int) -> bool:
    claim = socket.socket()
    try:
        claim.bind((HOST, port))
        claim.listen()
    except OSError:
        claim.close()
        return False
    # Open until the process ends, whoever forgets it.
    claim.detach()
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: connections of an earlier run that linger must not look like a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # not every system tells it to everyone
    return ""


def database_of(process: str, keys: Keys) -> ServiceDatabase:
    """The database of a process, with the passwords of this run."""
    name = f"balcao_{process}"
    owner = f"{name}_owner"
    return ServiceDatabase(
        name=name, role=name, password=keys.derived(name), owner=owner, owner_password=keys.derived(owner)
    )


def environment_of(process: str, ports: Ports, keys: Keys, broker: Mapping[str, str]) -> dict[str, str]:
    """The settings of one process, each under its prefix; `broker` holds those that depend on the kind of broker."""
    settings = {
        "DATABASE_URL": database_of(process, keys).url(HOST, ports["postgres"]),
        "ROOT_KEY": keys.root_key,
        "CALLER_PUBLIC_KEY": keys.caller_public_key,
        "DEPOSIT_URL": ports.url("privacy"),
        **broker,
        **_own_settings(process, ports, keys),
    }
    return {f"{process.upper()}_{name}": value for name, value in settings.items()}


def _own_settings(process: str, ports: Ports, keys: Keys) -> dict[str, str]:
    match process:
        case "gateway":
            services = {name: ports.url(name) for name in PROCESSES if name != "gateway"}
            return {
                "CALLER_PRIVATE_KEY": keys.caller_private_key,
                "PLATFORM_KEY": keys.platform_key,
                "SERVICES": json.dumps(services),
            }
        case "ingest":
            return {"PUBLIC_URL": ports.url("ingest"), "WHATSAPP_URL": f"{ports.url('simulator')}/whatsapp"}
        case _:
            return {}
