"""What ingest does: it connects channels, takes in what comes through them, and passes on what is to go out."""

from services.ingest.handlers.channels import (
    ChannelMemory,
    ConnectChannel,
    KnownChannel,
    change_channel,
    connect_channel,
    know_channel,
)
from services.ingest.handlers.chat import (
    BeginVisit,
    begin_visit,
    deliver,
    hand_notices_to_visitors,
    hand_to_visitors,
    note_typing,
    open_web_chat,
    read_by_visitor,
    resume_visit,
    take_from_visitor,
)
from services.ingest.handlers.chat_streams import VisitorStreams
from services.ingest.handlers.sending import SENDING, Dispatch, SendMessage, queue_notices, queue_sends
from services.ingest.handlers.webhooks import Arrival, read_webhook, replay_raw_event, take_in

__all__ = [
    "SENDING",
    "Arrival",
    "BeginVisit",
    "ChannelMemory",
    "ConnectChannel",
    "Dispatch",
    "KnownChannel",
    "SendMessage",
    "VisitorStreams",
    "begin_visit",
    "change_channel",
    "connect_channel",
    "deliver",
    "hand_notices_to_visitors",
    "hand_to_visitors",
    "know_channel",
    "note_typing",
    "open_web_chat",
    "queue_notices",
    "queue_sends",
    "read_by_visitor",
    "read_webhook",
    "replay_raw_event",
    "resume_visit",
    "take_from_visitor",
    "take_in",
]
