"""The compose file starts what there is, confines it, and shows each container its own secrets and no others."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from deploy.databases import main as make_databases
from deploy.environment import ADMIN, role_variable
from deploy.fresh_secrets import fresh_secrets, main, write_secrets
from deploy.migrate import variable_of
from deploy.processes import PROCESSES, REPOSITORY, card_of
from deploy.serve import STOP_SECONDS
from shared.http import Caller, ContextSigner, ContextVerifier
from shared.settings import ServiceSettings

COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "balcao"}
SHOWN_AT = "/run/secrets/"
ROLES = {role_variable(process) for process in PROCESSES}
OWNERS = {variable_of(process) for process in PROCESSES}


def files(*variables: str) -> set[str]:
    return {f"{name}_FILE" for name in variables}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compose") / ".secrets"
    write_secrets(folder)
    return folder


def environment_in(container: str, secrets: Path) -> Mapping[str, str]:
    """A container's environment, with the files where this machine has them."""
    told: dict[str, str] = SERVICES[container].get("environment", {})
    defaults = {name: re.sub(r"\${\w+:-([^}]+)}", r"\1", value) for name, value in told.items()}
    return {name: value.replace(SHOWN_AT, f"{secrets}/") for name, value in defaults.items()}


def settings_in(process: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    for name, value in environment_in(process, secrets).items():
        monkeypatch.setenv(name, value)
    settings: ServiceSettings = card_of(process).settings.from_environment(process)
    return settings


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_understands_all_that_it_is_told(
    process: str, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {f"{process.upper()}_{name.upper()}" for name in card_of(process).settings.model_fields}
    assert SERVICES[process]["command"] == [process]
    assert SERVICES[process]["environment"].keys() <= known | files(*known)
    settings = settings_in(process, secrets, monkeypatch)
    assert f"://balcao_{process}:" in settings.database_url.get_secret_value()
    assert settings.deposit_url == "http://privacy:8000"
    ContextVerifier(settings.caller_public_key, process)


def test_the_gateway_finds_every_service_and_signs_what_they_verify(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Any = settings_in("gateway", secrets, monkeypatch)
    assert settings.services == {name: f"http://{name}:8000" for name in PROCESSES if name != "gateway"}
    caller = Caller("someone", UUID(int=1), frozenset({"contacts:read"}))
    context = ContextSigner(settings.caller_private_key.get_secret_value()).sign(caller, "ingest")
    assert ContextVerifier(settings.caller_public_key, "ingest").verify(context) == caller


def test_the_jobs_and_commands_are_told_what_they_ask_for() -> None:
    told = {name: service["environment"].keys() for name, service in OURS.items() if name not in PROCESSES}
    assert told == {
        "databases": files(ADMIN, *ROLES, *OWNERS),
        "migrations": files(*OWNERS),
        "topics": {"TOPICS_BROKER_SERVERS", "TOPICS_REPLICATION"},
        "dead-letters": files(ADMIN, *ROLES),
        "recompute": files(role_variable("metrics")),
    }


def test_no_secret_stands_in_the_compose_file_or_in_an_environment(secrets: Path) -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text("utf-8")
    assert "${" not in text.replace("${INGEST_PUBLIC_URL:-http://127.0.0.1:8001}", "")
    secret = re.compile(r"PASSWORD|SECRET|KEY|DATABASE_URL|ADMIN_URL")
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not secret.search(name) or (name.endswith("_FILE") and value.startswith(SHOWN_AT))


def test_each_container_is_shown_the_secrets_that_it_is_told_of_and_no_others() -> None:
    for service in SERVICES.values():
        told = [value for value in service.get("environment", {}).values() if value.startswith(SHOWN_AT)]
        assert sorted(service.get("secrets", [])) == sorted(value.removeprefix(SHOWN_AT) for value in told)
    for process in PROCESSES:
        own = {f"{process}_database_url", "root_key", "caller_public_key"}
        of_the_door = {"caller_private_key", "platform_key"} if process == "gateway" else set()
        assert set(SERVICES[process]["secrets"]) == own | of_the_door


def test_every_secret_can_be_made_and_none_in_vain() -> None:
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == COMPOSE["secrets"].keys() == fresh_secrets().keys()
    assert COMPOSE["secrets"] == {name: {"file": f".secrets/{name}"} for name in used}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service
    if name != "kafka":
        assert service["read_only"]
        assert service["tmpfs"][0] == "/tmp"  # noqa: S108 - the container's own


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_is_bounded(name: str) -> None:
    assert OURS[name]["mem_limit"] == "1g"
    assert OURS[name]["pids_limit"]
    assert OURS[name]["logging"]["options"]["max-size"]


def test_what_goes_on_running_has_a_health_check_and_is_started_again() -> None:
    lasting = {name for name, service in SERVICES.items() if service.get("restart") == "unless-stopped"}
    assert lasting == {*PROCESSES, "postgres", "kafka", "prometheus", "grafana"}
    assert all(SERVICES[name]["healthcheck"]["test"] for name in lasting)
    for process in PROCESSES:
        assert "/ready" in SERVICES[process]["healthcheck"]["test"][-1]
        compile(SERVICES[process]["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_a_process_has_the_time_that_it_needs_to_end() -> None:
    assert {SERVICES[process]["stop_grace_period"] for process in PROCESSES} == {f"{2 * STOP_SECONDS}s"}


def test_a_process_begins_when_its_tables_and_topics_are_there() -> None:
    for process in PROCESSES:
        assert SERVICES[process]["depends_on"].keys() == {"migrations", "topics"}
    for service in SERVICES.values():
        for name, condition in service.get("depends_on", {}).items():
            lasts = SERVICES[name]["restart"] == "unless-stopped"
            assert condition == {"condition": "service_healthy" if lasts else "service_completed_successfully"}


def test_only_who_is_called_from_outside_or_calls_there_has_a_way_to_it() -> None:
    assert COMPOSE["networks"]["house"] == {"internal": True}
    outside = {name for name, service in SERVICES.items() if "street" in service["networks"]}
    assert outside == {"gateway", "ingest", "grafana"}
    assert {name for name, service in SERVICES.items() if "ports" in service} == outside
    assert all(port.startswith("127.0.0.1:") for name in outside for port in SERVICES[name]["ports"])


def test_files_that_containers_are_shown_are_there() -> None:
    shown = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert all((REPOSITORY / path).is_dir() for path in shown if path.startswith("./"))
    assert {path for path in shown if not path.startswith("./")} == COMPOSE["volumes"].keys()


class TestSecrets:
    def test_are_their_owners_alone_and_are_never_written_over(
        self, secrets: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert secrets.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o444}
        before = {path.name: path.read_text() for path in secrets.iterdir()}
        monkeypatch.setattr("sys.argv", ["deploy.fresh_secrets", str(secrets)])
        with pytest.raises(SystemExit, match="is there already"):
            main()
        assert {path.name: path.read_text() for path in secrets.iterdir()} == before

    def test_are_new_each_time(self) -> None:
        one, other = fresh_secrets(), fresh_secrets()
        assert not set(one.values()) & set(other.values())

    def test_what_is_told_twice_is_refused(self, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METRICS_ROOT_KEY", "another")
        with pytest.raises(ValueError, match="METRICS_ROOT_KEY and METRICS_ROOT_KEY_FILE are both set"):
            settings_in("metrics", secrets, monkeypatch)

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METRICS_ROOT_KEY_FILE", str(tmp_path / "lost"))
        with pytest.raises(FileNotFoundError, match="lost"):
            card_of("metrics").settings.from_environment("metrics")

    def test_a_line_break_at_the_end_is_not_part_of_one(
        self, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        edited = tmp_path / "root_key"
        edited.write_text((secrets / "root_key").read_text() + "\n")
        before = settings_in("metrics", secrets, monkeypatch).root_key
        monkeypatch.setenv("METRICS_ROOT_KEY_FILE", str(edited))
        assert card_of("metrics").settings.from_environment("metrics").root_key == before

    def test_a_job_says_which_are_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in (ADMIN, *ROLES, *OWNERS):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(SystemExit, match=f"cannot make databases: {ADMIN}, GATEWAY_DATABASE_URL, .* not set"):
            make_databases()
