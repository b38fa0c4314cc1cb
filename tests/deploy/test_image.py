"""The image has all that the processes and jobs need, nothing that they do not, and runs without writing to it."""

import asyncio
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.plan import HOST, free_ports
from deploy.processes import PROCESSES, REPOSITORY, application_of
from tests.support.machine import CALLER_PUBLIC_KEY, ROOT_KEY, BrokerAddress, Machine
from tests.support.waiting import until

DOCKERFILE = (REPOSITORY / "deploy" / "Dockerfile").read_text("utf-8")
IGNORED = (REPOSITORY / "deploy" / "Dockerfile.dockerignore").read_text("utf-8").split()
COPIES = re.findall(r"^COPY (?!--from)(\S+) (\S+)$", DOCKERFILE, re.MULTILINE)
JOBS = ["databases", "migrate", "topics", "dead_letters", "recompute", "serve"]

MODULES = [application_of(process).partition(":")[0] for process in PROCESSES] + [f"deploy.{job}" for job in JOBS]
LOAD = """
import importlib, json, sys
absent, modules = json.load(sys.stdin)
sys.modules.update(dict.fromkeys(absent))
for module in modules:
    importlib.import_module(module)
print(json.dumps([module.__file__ for module in sys.modules.values() if getattr(module, "__file__", None)]))
"""
"""Imports modules while those that are absent cannot be, and tells the files of all that were."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile copies, in a folder of its own."""
    root = tmp_path_factory.mktemp("image")
    for source, target in COPIES:
        if target.startswith("/"):
            continue
        for path in REPOSITORY.glob(source):
            into = root / target / path.name if target.endswith("/") else root / target
            into.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, into)
    return root


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def bare_environment(**told: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **told}


def test_what_is_copied_is_there_and_all_that_is_let_through() -> None:
    assert all(list(REPOSITORY.glob(source)) for source, _ in COPIES)
    assert IGNORED[0] == "*"
    assert {line.removeprefix("!") for line in IGNORED if line.startswith("!")} == {source for source, _ in COPIES}


def test_it_runs_as_nobody_in_particular_and_is_built_from_what_is_pinned() -> None:
    stages = DOCKERFILE.split("\nFROM ")[1:]
    assert len(stages) == 2
    assert "--require-hashes -r /tmp/requirements.lock" in stages[0]
    assert re.search(r"^USER [1-9]\d*$", stages[1], re.MULTILINE)
    assert "pip install" not in stages[1]


def test_processes_and_jobs_load_where_there_is_nothing_but_what_is_pinned(image: Path) -> None:
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (REPOSITORY / "requirements.lock").read_text("utf-8"), re.MULTILINE))
    owners = importlib.metadata.packages_distributions()
    absent = [name for name, those in owners.items() if not pinned & set(map(normal, those))]
    assert {"pytest", "psutil", "yaml"} <= set(absent)
    told = subprocess.run(
        [sys.executable, "-c", LOAD], input=json.dumps([absent, MODULES]),
        cwd=image, env=bare_environment(), capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert not [file for file in json.loads(told) if Path(file).is_relative_to(REPOSITORY) and ".venv" not in file]


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


async def test_a_process_serves_from_it_told_by_files_and_writes_nothing(
    image: Path, machine: Machine, broker_address: BrokerAddress, tmp_path: Path
) -> None:
    secrets = {"DATABASE_URL": machine.url("metrics"), "ROOT_KEY": ROOT_KEY, "CALLER_PUBLIC_KEY": CALLER_PUBLIC_KEY}
    told = {f"METRICS_{name.upper()}": str(value) for name, value in broker_address.settings.items()}
    for name, secret in secrets.items():
        (tmp_path / name).write_text(secret)
        told[f"METRICS_{name}_FILE"] = str(tmp_path / name)
    before, port = files(image), free_ports()["metrics"]
    command = [sys.executable, "-m", "deploy.serve", "metrics", "--port", str(port)]
    with running(command, image, bare_environment(**told)) as process:
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=5) as client:

            async def is_ready() -> bool:
                assert process.poll() is None
                try:
                    return (await client.get("/ready")).is_success
                except httpx.TransportError:
                    return False

            await until(is_ready, seconds=60)
        process.terminate()
        await asyncio.to_thread(process.wait, 20)
    assert files(image) == before


@contextmanager
def running(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
