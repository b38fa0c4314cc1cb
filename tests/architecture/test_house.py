"""What every room of the house promises, checked from the index cards and the files themselves."""

import ast
import inspect
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.events import EVENTS, TOPICS
from tests.support.services import SERVICES

HOUSE = Path(__file__).parents[2]
TYPE = re.compile(r"(ingest|routing|conversation|metrics|privacy|gateway)\.[a-z]+(-[a-z]+)+\.v[1-9]")
# Hosts that packages or containers are fetched from, and places that only one machine has; written so as not to name
# them here either.
FOREIGN = re.compile(
    r"pypi[.]org|python[h]osted|registry[.]npm|maven[.]apache[.]org/maven2|docker[.]io/|/(home|root|work|Users)/"
)
LATER = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b")


def tracked(*endings: str) -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=HOUSE, capture_output=True, text=True, check=True, timeout=30,
    ).stdout.splitlines()  # fmt: skip
    return (path for name in listed if (path := HOUSE / name).is_file() and (not endings or name.endswith(endings)))


def test_each_event_has_one_speaker_and_somebody_who_listens() -> None:
    speakers = Counter(event for service in SERVICES.values() for event in service.says)
    listeners = {event for service in SERVICES.values() for event in service.listens_to}
    assert speakers == Counter(EVENTS.values())
    assert listeners == set(EVENTS.values())


def test_who_speaks_is_named_in_the_type() -> None:
    for service in SERVICES.values():
        for event in service.says:
            assert TYPE.fullmatch(event.type)
            assert event.type.startswith(f"{service.name}.")
            assert event.topic() in TOPICS


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.name)
def test_handlers_are_named_for_what_they_do(service: object) -> None:
    hears = SERVICES[service.name].hears  # type: ignore[attr-defined]
    for handlers in hears.values():
        for handler in handlers:
            assert inspect.iscoroutinefunction(handler)
            assert re.fullmatch(r"(?!on_|handle_)[a-z]+_[a-z_]+", handler.__name__)


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(HOUSE)) for path in tracked(".py") if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_no_file_names_a_registry_or_one_machine() -> None:
    texts = (path for path in tracked() if path.suffix not in {".png", ".ico"})
    found = [f"{path.relative_to(HOUSE)}: {match[0]}" for path in texts if (match := FOREIGN.search(path.read_text()))]
    assert not found


def test_nothing_is_left_for_later_in_the_code() -> None:
    assert not [str(path) for path in tracked(".py") if LATER.search(path.read_text())]
