"""The kinds of channel that ingest can receive from, each by the name that a channel account carries."""

from collections.abc import Mapping

from services.ingest.channels.whatsapp import WhatsApp
from services.ingest.domain import Channel

_KNOWN: tuple[Channel, ...] = (WhatsApp(),)

CHANNELS: Mapping[str, Channel] = {channel.kind: channel for channel in _KNOWN}
