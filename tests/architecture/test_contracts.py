"""Every import contract fails when it is broken: each is shown one violation, planted in a copy of the house."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
ROOMS = ("gateway", "services", "shared")

VIOLATIONS = {
    "houses": ("shared/ids.py", "from services.ingest import domain"),
    "strangers": ("services/routing/handlers/cases.py", "from services.conversation import models"),
    "floors": ("services/metrics/models.py", "from services.metrics import api"),
    "front-door": ("gateway/models.py", "from gateway import handlers"),
    "pure-domain": ("services/routing/domain/cases.py", "import asyncio"),
    "kernel": ("shared/events/base.py", "from shared import db"),
    "broker": ("services/ingest/handlers/webhooks.py", "import aiokafka"),
}
STRAYS = {"floors": "services/privacy/utils.py", "front-door": "gateway/helpers.py", "kernel": "shared/common.py"}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for room in ROOMS:
        shutil.copytree(HOUSE / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HOUSE / "pyproject.toml", tmp_path)
    return tmp_path


def keeps(house: Path, contract: str) -> bool:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--contract", contract, "--no-cache"]
    result = subprocess.run(command, cwd=house, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in result.stdout + result.stderr
    return result.returncode == 0


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_contract_fails_on_a_forbidden_import(house: Path, contract: str) -> None:
    file, violation = VIOLATIONS[contract]
    assert keeps(house, contract)
    path = house / file
    path.write_text(f"{path.read_text()}\n{violation}\n")
    assert not keeps(house, contract)


@pytest.mark.parametrize("contract", STRAYS)
def test_a_stray_module_breaks_the_floor_plan(house: Path, contract: str) -> None:
    (house / STRAYS[contract]).write_text('"""A drawer for everything."""\n')
    assert not keeps(house, contract)
