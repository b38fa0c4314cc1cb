"""Conversation keeps the one history of every contact."""

from pathlib import Path

from services.conversation import api, handlers
from services.conversation.handlers import WakeConversation
from services.conversation.models import Table
from services.conversation.settings import Settings
from shared.events.conversation import (
    ContactAdded,
    ConversationChanged,
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    MessageAdded,
)
from shared.events.ingest import AddressChanged, MessageEdited, MessageReceived, MessageRevoked, ReactionChanged
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
    },
    says=[
        ContactAdded,
        ConversationOpened,
        ConversationReopened,
        ConversationChanged,
        ConversationResolved,
        MessageAdded,
    ],
    does={WakeConversation: handlers.wake_conversation},
)
app = service.asgi
