"""What every process is told by its environment; a service's prefix is its name (`ROUTING_DATABASE_URL`).

What is secret is better told by a file: `ROUTING_DATABASE_URL_FILE` names one that holds it.
"""

import base64
import binascii
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Part = Literal["api", "consumer", "relay", "jobs"]


def _a_key_of_32_bytes(value: SecretStr) -> SecretStr:
    try:
        length = len(base64.b64decode(value.get_secret_value(), validate=True))
    except binascii.Error:
        length = 0
    if length != 32:
        raise ValueError("must be 32 bytes in base64")
    return value


PARTS: Final = frozenset({"api", "consumer", "relay", "jobs"})


def _parts(value: str) -> str:
    if not value or set(value.split(",")) - PARTS:
        raise ValueError(f"must be a comma-separated choice of {', '.join(sorted(PARTS))}")
    return value


GatherSeconds = Annotated[float, Field(ge=0, le=1, description="how long events wait for others to be handled with")]
RootKey = Annotated[SecretStr, AfterValidator(_a_key_of_32_bytes)]


class ServiceSettings(BaseSettings):
    """The settings that all services share; durations are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(description="postgresql://role:password@host:port/database, the powerless role")
    database_pool: int = Field(8, ge=2, description="connections a process holds at most")
    broker_servers: str = Field(description="host:port,host:port of Kafka")
    broker_idempotent: bool = Field(True, description="the idempotent producer; off for the embedded broker")
    broker_keeps_log: bool = Field(True, description="false for a broker that forgets when it restarts")
    fetch_max_wait_ms: int = Field(500, ge=1)
    heartbeat_ms: int = Field(3000, ge=100)
    runs: Annotated[str, NoDecode, AfterValidator(_parts)] = Field(
        "api,consumer,relay,jobs",
        description="which parts this process runs, so that they can be scaled apart",
    )
    root_key: RootKey = Field(description="32 bytes in base64, from which sealing and blind-index keys derive")
    caller_public_key: str = Field(description="Ed25519 public key (PEM) that verifies the gateway's caller context")

    deposit_url: str = Field(
        "http://127.0.0.1:8005", description="where privacy takes what is held about a person, without a slash"
    )

    consume_max_records: int = Field(500, ge=1)
    gather_seconds: GatherSeconds = 0
    retry_attempts: int = Field(6, ge=1, description="tries of one event before it becomes a dead letter")
    retry_first_wait: float = Field(0.2, gt=0)
    retry_longest_wait: float = Field(10.0, gt=0)
    fuse_in_a_row: int = Field(10, ge=1, description="dead letters in a row that stop the consumer")
    fuse_share: float = Field(0.5, gt=0, le=1, description="share of dead letters among the last of a type")
    fuse_window: int = Field(100, ge=1)

    relay_batch: int = Field(500, ge=1)
    relay_keep_seconds: float = Field(0, ge=0, description="how long published outbox rows are kept")
    inbox_keep_days: int = Field(8, ge=1, description="the topics' retention plus a day")

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    trace_share: float = Field(0.01, ge=0, le=1, description="share of requests that are traced")
    trace_trusting: bool = Field(True, description="whether callers decide what is traced; not so at the front")
    trace_endpoint: str | None = Field(None, description="OTLP/HTTP collector; none keeps traces in the process")

    @property
    def parts(self) -> frozenset[str]:
        return frozenset(self.runs.split(","))

    @property
    def runs_apart(self) -> bool:
        """Whether other parts of the service run in other processes."""
        return self.parts != PARTS

    @classmethod
    def from_environment(cls, prefix: str) -> Self:
        """The settings found under `PREFIX_…`, or pydantic's error that names what is missing.

        Raises `ValueError` for what is told twice, `OSError` for a file that cannot be read.
        """
        files = {name: _from_file(f"{prefix}_{name}".upper()) for name in cls.model_fields}
        told: dict[str, Any] = {name: value for name, value in files.items() if value is not None}
        return cls(_env_prefix=f"{prefix.upper()}_", **told)


def variable(name: str) -> str | None:
    """What the environment says under `name`, itself or by a file; None when it says nothing.

    Raises `ValueError` for what is told twice, `OSError` for a file that cannot be read.
    """
    told = _from_file(name)
    return os.environ.get(name) if told is None else told


def _from_file(name: str) -> str | None:
    path = os.environ.get(f"{name}_FILE")
    if path is None:
        return None
    if name in os.environ:
        raise ValueError(f"{name} and {name}_FILE are both set")
    # An editor ends a file with a line break, and no secret ends with one.
    return Path(path).read_text("utf-8").strip()
