"""Ingest's doors: the providers' webhooks, the visitors' web chat, and the tenant's view of channels and raw events."""

from services.ingest.api.channels import channels
from services.ingest.api.chat import chat, chat_events, chat_sessions
from services.ingest.api.counter import Counter, furnish
from services.ingest.api.raw_events import raw_events
from services.ingest.api.webhooks import webhooks

__all__ = ["Counter", "channels", "chat", "chat_events", "chat_sessions", "furnish", "raw_events", "webhooks"]
