"""What ingest is told by its environment."""

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    trace_trusting: bool = False
    public_url: str = Field("http://127.0.0.1:8001", description="where providers reach the webhooks, without a slash")
    webhook_group: int = Field(1 << 20, ge=1, description="bytes written in one transaction at most")
    webhook_waiting: int = Field(64 << 20, ge=1, description="bytes that may wait to be written; more is answered 503")
    channel_memory: float = Field(5, gt=0, description="seconds for which a channel's secrets are remembered")
