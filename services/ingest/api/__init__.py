"""Ingest's doors: the providers' webhooks, and the tenant's view of channels and raw events."""

from services.ingest.api.channels import channels
from services.ingest.api.counter import Counter, furnish
from services.ingest.api.raw_events import raw_events
from services.ingest.api.webhooks import webhooks

__all__ = ["Counter", "channels", "furnish", "raw_events", "webhooks"]
