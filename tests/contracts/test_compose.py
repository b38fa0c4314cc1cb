"""The compose file starts what there is, and tells it nothing that it does not know."""

import json
import re
from typing import Any
from uuid import UUID

import pytest
import yaml

from deploy.documents.cards import cards
from deploy.fresh_secrets import fresh_secrets
from deploy.migrate import variable_of
from deploy.processes import PROCESSES, REPOSITORY
from shared.http import Caller, ContextSigner, ContextVerifier
from shared.service import Service

TEXT = (REPOSITORY / "docker-compose.yml").read_text("utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]

_VARIABLE = re.compile(r"\${(?P<name>\w+):(?:\?|-(?P<default>[^}]+))}")


def _told(process: str) -> dict[str, str]:
    """A container's environment with fresh secrets in it."""
    secrets = fresh_secrets()

    def value(match: re.Match[str]) -> str:
        return match["default"] or secrets[match["name"]]

    environment: dict[str, str] = SERVICES[process]["environment"]
    return {name: _VARIABLE.sub(value, text) for name, text in environment.items()}


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_a_process_understands_all_that_it_is_told(card: Service[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    told = _told(card.name)
    assert SERVICES[card.name]["command"] == [card.name]
    assert told.keys() <= {f"{card.name.upper()}_{name.upper()}" for name in card.settings.model_fields}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = card.settings.from_environment(card.name)
    ContextVerifier(settings.caller_public_key, card.name)


def test_each_container_is_told_no_secrets_but_its_own() -> None:
    told = {name: _VARIABLE.findall(str(SERVICES[name]["environment"])) for name in PROCESSES}
    assert [name for name in PROCESSES if "CALLER_PRIVATE_KEY" in str(told[name])] == ["gateway"]
    for name in PROCESSES:
        assert {variable for variable, _ in told[name] if variable.endswith("_PASSWORD")} == {
            f"{name.upper()}_PASSWORD"
        }


def test_the_gateway_finds_every_service_and_signs_what_they_verify() -> None:
    told = _told("gateway")
    assert json.loads(told["GATEWAY_SERVICES"]) == {
        name: f"http://{name}:8000" for name in PROCESSES if name != "gateway"
    }
    caller = Caller("someone", UUID(int=1), frozenset({"contacts:read"}))
    context = ContextSigner(told["GATEWAY_CALLER_PRIVATE_KEY"]).sign(caller, "ingest")
    assert ContextVerifier(told["GATEWAY_CALLER_PUBLIC_KEY"], "ingest").verify(context) == caller


def test_every_process_knows_where_to_deposit_what_it_holds_about_a_person() -> None:
    for process in PROCESSES:
        assert _told(process)[f"{process.upper()}_DEPOSIT_URL"] == "http://privacy:8000"


def test_the_jobs_are_told_every_database() -> None:
    owners = {variable_of(process) for process in PROCESSES}
    roles = {f"{process.upper()}_DATABASE_URL" for process in PROCESSES}
    assert SERVICES["migrations"]["environment"].keys() == owners
    assert SERVICES["databases"]["environment"].keys() == owners | roles | {"POSTGRES_ADMIN_URL"}


def test_every_secret_that_is_asked_for_can_be_made_and_none_in_vain() -> None:
    assert set(re.findall(r"\${(\w+):\?}", TEXT)) == fresh_secrets().keys()


def test_a_container_waits_only_for_containers_that_there_are() -> None:
    for container in SERVICES.values():
        assert container.get("depends_on", {}).keys() <= SERVICES.keys()
