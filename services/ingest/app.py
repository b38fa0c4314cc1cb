"""Ingest takes in what comes through the channels, and sends what is to go out."""

from pathlib import Path

from services.ingest import api, handlers
from services.ingest.models import Table
from services.ingest.settings import Settings
from shared.events.conversation import MessageQueued
from shared.events.ingest import (
    AddressChanged,
    DeliveryChanged,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReactionChanged,
)
from shared.events.privacy import NoticeQueued
from shared.service import Service

service = Service(
    name="ingest",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    doors={"/webhooks/": api.webhooks},
    api=[api.channels, api.raw_events, api.chat, api.chat_events, api.chat_sessions],
    hears={
        MessageQueued: [handlers.queue_sends, handlers.hand_to_visitors],
        NoticeQueued: [handlers.queue_notices, handlers.hand_notices_to_visitors],
    },
    says=[MessageReceived, MessageEdited, MessageRevoked, ReactionChanged, AddressChanged, DeliveryChanged],
    does={handlers.SendMessage: handlers.SENDING},
    furnish=api.furnish,
)
app = service.asgi
