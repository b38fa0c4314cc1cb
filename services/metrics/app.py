"""Metrics measures what happens."""

from pathlib import Path

from services.metrics import api, handlers
from services.metrics.handlers import MeasureAgain
from services.metrics.models import Table
from services.metrics.settings import Settings
from shared.events.conversation import (
    ConversationChanged,
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
)
from shared.events.gateway import TenantChanged
from shared.events.routing import (
    BusinessHoursChanged,
    ConversationAssigned,
    ConversationQueued,
    ConversationUnassigned,
)
from shared.service import Service

service = Service(
    name="metrics",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    api=[api.metrics],
    hears={
        MessageAdded: [handlers.write_facts],
        ConversationOpened: [handlers.write_facts],
        ConversationReopened: [handlers.write_facts],
        ConversationResolved: [handlers.write_facts],
        ConversationChanged: [handlers.write_facts],
        ConversationQueued: [handlers.write_facts],
        ConversationAssigned: [handlers.write_facts],
        ConversationUnassigned: [handlers.write_facts],
        BusinessHoursChanged: [handlers.keep_hours],
        TenantChanged: [handlers.know_tenants],
    },
    does={MeasureAgain: handlers.measure_again},
    furnish=api.furnish,
)
app = service.asgi
