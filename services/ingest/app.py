"""Ingest takes in what comes through the channels."""

from pathlib import Path

from services.ingest import api
from services.ingest.models import Table
from services.ingest.settings import Settings
from shared.events.ingest import AddressChanged, MessageEdited, MessageReceived, MessageRevoked, ReactionChanged
from shared.service import Service

service = Service(
    name="ingest",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    doors={"/webhooks/": api.webhooks},
    api=[api.channels, api.raw_events],
    says=[MessageReceived, MessageEdited, MessageRevoked, ReactionChanged, AddressChanged],
    furnish=api.furnish,
)
app = service.asgi
