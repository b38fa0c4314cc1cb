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
    refusals_per_minute_and_address: int = Field(60, ge=1, description="failed authentications before 429")
    key_memory: float = Field(
        3, gt=0, description="seconds for which a key is remembered, and may outlive its revocation"
    )
