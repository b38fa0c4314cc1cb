"""Routing decides who answers a conversation."""

from pathlib import Path

from services.routing import api, handlers
from services.routing.handlers import WithdrawOffer
from services.routing.models import Table
from services.routing.settings import Settings
from shared.events.conversation import (
    ConversationChanged,
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
)
from shared.events.gateway import TenantChanged, UserChanged
from shared.events.routing import (
    AutoReplyDecided,
    BusinessHoursChanged,
    ConversationAssigned,
    ConversationOffered,
    ConversationQueued,
    ConversationUnassigned,
    OfferEnded,
    PresenceChanged,
)
from shared.service import Service

service = Service(
    name="routing",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    api=[
        api.waiting,
        api.queues,
        api.agents,
        api.offers,
        api.conversations,
        api.business_hours,
        api.auto_replies,
    ],
    hears={
        TenantChanged: [handlers.keep_tenants],
        UserChanged: [handlers.keep_agents],
        ConversationOpened: [handlers.note_arrivals],
        MessageAdded: [handlers.note_arrivals],
        ConversationReopened: [handlers.reopen_cases],
        ConversationChanged: [handlers.note_statuses],
        ConversationResolved: [handlers.close_cases],
    },
    says=[
        ConversationQueued,
        ConversationOffered,
        OfferEnded,
        ConversationAssigned,
        ConversationUnassigned,
        AutoReplyDecided,
        PresenceChanged,
        BusinessHoursChanged,
    ],
    does={WithdrawOffer: handlers.withdraw_offer},
)
app = service.asgi
