"""Routing by API: queues, agents, offers, who answers a conversation, and when the counter is open."""

from services.routing.api.agents import agents
from services.routing.api.conversations import conversations, waiting
from services.routing.api.hours import auto_replies, business_hours
from services.routing.api.offers import offers
from services.routing.api.queues import queues

__all__ = ["agents", "auto_replies", "business_hours", "conversations", "offers", "queues", "waiting"]
