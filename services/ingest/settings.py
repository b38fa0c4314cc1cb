"""What ingest is told by its environment."""

from pydantic import Field

from shared.settings import GatherSeconds, ServiceSettings


class Settings(ServiceSettings):
    trace_trusting: bool = False
    # An answer is on its way to a provider for much longer, and most of what is heard here is not for ingest.
    gather_seconds: GatherSeconds = 0.05
    public_url: str = Field("http://127.0.0.1:8001", description="where providers reach the webhooks, without a slash")
    webhook_group: int = Field(1 << 20, ge=1, description="bytes written in one transaction at most")
    webhook_waiting: int = Field(64 << 20, ge=1, description="bytes that may wait to be written; more is answered 503")
    whatsapp_url: str = Field(
        "https://graph.facebook.com/v24.0", description="Meta's Graph API with its version, without a slash"
    )
    send_rate: float = Field(80, gt=0, description="calls a second for one channel account, by each process")
    send_at_once: int = Field(16, ge=1, description="calls for one channel account that wait for their answer")
    send_failures: int = Field(5, ge=1, description="failures in a row after which a channel's provider counts as down")
    send_pause: float = Field(15, gt=0, description="seconds until it is tried whether a provider is back")
    send_patience: float = Field(3600, gt=0, description="seconds for which a message is tried that is not taken")
    chat_sessions_per_minute: int = Field(10, ge=1, description="chats that one address may begin, by each process")
    chat_messages_per_minute: int = Field(30, ge=1, description="what one visitor may write, by each process")
    chat_streams: int = Field(2000, ge=1, description="visitors' pages that may listen to a process at once")
    chat_poll: float = Field(0.3, gt=0, description="seconds within which visitors learn what another process wrote")
    chat_heartbeat: float = Field(15, gt=0, description="seconds of silence after which a stream says that it is there")
    channel_memory: float = Field(5, gt=0, description="seconds for which a channel's secrets are remembered")
