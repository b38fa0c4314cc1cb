"""What the gateway is told by its environment."""

from pathlib import Path

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    trace_trusting: bool = False
    caller_private_key: SecretStr = Field(description="Ed25519 private key (PEM) that signs the caller context")
    platform_key: SecretStr = Field(min_length=20, description="opens POST /v1/tenants, and nothing else")
    services: dict[str, str] = Field(description="JSON: the base URL of each service by its name")
    openapi: Path = Field(
        Path(__file__).parent.parent / "docs" / "openapi.json", description="the public API in one document"
    )
    requests_per_minute_and_key: int = Field(6_000, ge=1)
    requests_per_minute_and_tenant: int = Field(30_000, ge=1)
    public_requests_per_minute_and_address: int = Field(120, ge=1, description="of those who say not who they are")
    refusals_per_minute_and_address: int = Field(60, ge=1, description="failed authentications and log-ins before 429")
    key_memory: float = Field(
        3, gt=0, description="seconds for which a key or token is remembered, and may outlive its end"
    )
    stream_events: int = Field(50_000, ge=1, description="events kept for streams that were cut off, in all")
    stream_bytes: int = Field(64 * 1024 * 1024, ge=1, description="what these may have in memory")
    stream_seconds: float = Field(600, gt=0, description="how long an event is kept for them")
    stream_heartbeat: float = Field(15, gt=0, description="seconds of silence before a stream says that it lives")
    stream_recheck: float = Field(3, gt=0, description="how often it is asked whether a stream's key is still good")
    streams: int = Field(5_000, ge=1, description="streams open at once in this process")
    streams_per_tenant: int = Field(1_000, ge=1)
