"""Every query of ingest, tenant first."""

from services.ingest.store.channels import channel, channels_of, list_channels, tenant_of_channel
from services.ingest.store.raw_events import (
    keep_raw_events,
    keep_statuses,
    list_raw_events,
    raw_event,
    settle_raw_event,
)

__all__ = [
    "channel",
    "channels_of",
    "keep_raw_events",
    "keep_statuses",
    "list_channels",
    "list_raw_events",
    "raw_event",
    "settle_raw_event",
    "tenant_of_channel",
]
