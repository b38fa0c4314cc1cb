"""What conversation does: with what arrives, and with what the tenant asks."""

from services.conversation.handlers.arrivals import (
    append_messages,
    edit_messages,
    keep_reactions,
    learn_addresses,
    revoke_messages,
)
from services.conversation.handlers.contacts import add_contact, change_contact
from services.conversation.handlers.conversations import (
    ChangeConversation,
    WakeConversation,
    add_note,
    change_conversation,
    wake_conversation,
)

__all__ = [
    "ChangeConversation",
    "WakeConversation",
    "add_contact",
    "add_note",
    "append_messages",
    "change_contact",
    "change_conversation",
    "edit_messages",
    "keep_reactions",
    "learn_addresses",
    "revoke_messages",
    "wake_conversation",
]
