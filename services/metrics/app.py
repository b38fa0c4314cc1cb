"""Metrics measures what happens."""

from pathlib import Path

from services.metrics import api, handlers
from services.metrics.models import Table
from services.metrics.settings import Settings
from shared.events.conversation import ConversationOpened, ConversationReopened, ConversationResolved, MessageAdded
from shared.events.gateway import TenantChanged
from shared.service import Service

service = Service(
    name="metrics",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    api=[api.metrics],
    hears={
        MessageAdded: [handlers.count_messages],
        ConversationOpened: [handlers.count_openings],
        ConversationReopened: [handlers.count_reopenings],
        ConversationResolved: [handlers.count_resolutions],
        TenantChanged: [handlers.know_tenants],
    },
)
app = service.asgi
