"""What ingest does: it connects channels, and takes in what providers post."""

from services.ingest.handlers.channels import (
    ChannelMemory,
    ConnectChannel,
    KnownChannel,
    change_channel,
    connect_channel,
    know_channel,
)
from services.ingest.handlers.webhooks import Arrival, read_webhook, replay_raw_event, take_in

__all__ = [
    "Arrival",
    "ChannelMemory",
    "ConnectChannel",
    "KnownChannel",
    "change_channel",
    "connect_channel",
    "know_channel",
    "read_webhook",
    "replay_raw_event",
    "take_in",
]
