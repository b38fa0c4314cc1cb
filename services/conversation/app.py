"""Conversation keeps the one history of every contact."""

from pathlib import Path

from services.conversation import api, handlers
from services.conversation.handlers import AppendEcho, WakeConversation
from services.conversation.models import Table
from services.conversation.settings import Settings
from shared.events.conversation import (
    ContactAdded,
    ContactAddressesAdded,
    ConversationChanged,
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
    MessageQueued,
    MessageStatusChanged,
)
from shared.events.ingest import (
    AddressChanged,
    DeliveryChanged,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReactionChanged,
)
from shared.events.routing import AutoReplyDecided, ConversationAssigned, ConversationQueued, ConversationUnassigned
from shared.service import Service

service = Service(
    name="conversation",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    api=[api.conversations, api.contacts],
    hears={
        MessageReceived: [handlers.append_messages],
        MessageEdited: [handlers.edit_messages],
        MessageRevoked: [handlers.revoke_messages],
        ReactionChanged: [handlers.keep_reactions],
        AddressChanged: [handlers.learn_addresses],
        DeliveryChanged: [handlers.record_deliveries],
        ConversationQueued: [handlers.show_decisions],
        ConversationAssigned: [handlers.show_decisions],
        ConversationUnassigned: [handlers.show_decisions],
        AutoReplyDecided: [handlers.queue_auto_replies],
    },
    says=[
        ContactAdded,
        ContactAddressesAdded,
        ConversationOpened,
        ConversationReopened,
        ConversationChanged,
        ConversationResolved,
        MessageAdded,
        MessageQueued,
        MessageStatusChanged,
    ],
    does={WakeConversation: handlers.wake_conversation, AppendEcho: handlers.append_held_echo},
)
app = service.asgi
