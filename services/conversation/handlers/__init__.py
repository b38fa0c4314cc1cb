"""What conversation does: with what arrives, with what routing decides, and with what the tenant asks."""

from services.conversation.handlers.answers import (
    Answer,
    answer_conversation,
    queue_auto_replies,
    send_again,
)
from services.conversation.handlers.arrivals import (
    AppendEcho,
    append_held_echo,
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
from services.conversation.handlers.deliveries import record_deliveries
from services.conversation.handlers.routing import show_decisions

__all__ = [
    "Answer",
    "AppendEcho",
    "ChangeConversation",
    "WakeConversation",
    "add_contact",
    "add_note",
    "answer_conversation",
    "append_held_echo",
    "append_messages",
    "change_contact",
    "change_conversation",
    "edit_messages",
    "keep_reactions",
    "learn_addresses",
    "queue_auto_replies",
    "record_deliveries",
    "revoke_messages",
    "send_again",
    "show_decisions",
    "wake_conversation",
]
