"""Routing decides who answers a conversation."""

from pathlib import Path

from services.routing import api, handlers
from services.routing.models import Table
from services.routing.settings import Settings
from shared.events.conversation import (
    ConversationChanged,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
)
from shared.service import Service

service = Service(
    name="routing",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    api=[api.waiting],
    hears={
        MessageAdded: [handlers.note_message],
        ConversationReopened: [handlers.reopen_case],
        ConversationChanged: [handlers.note_status],
        ConversationResolved: [handlers.close_case],
    },
)
app = service.asgi
