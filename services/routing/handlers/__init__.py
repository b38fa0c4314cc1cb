"""What routing does: with what it hears, with offers whose time is over, and with what the tenant asks."""

from services.routing.handlers.assignments import answer_offer, assign, withdraw_offer
from services.routing.handlers.cases import close_cases, note_arrivals, note_statuses, reopen_cases
from services.routing.handlers.dispatch import WithdrawOffer
from services.routing.handlers.queues import (
    add_queue,
    change_queue,
    forget_hours,
    remove_queue,
    set_auto_replies,
    set_hours,
)
from services.routing.handlers.replies import schedule_in
from services.routing.handlers.staff import change_agent, change_presence, keep_agents, keep_tenants

__all__ = [
    "WithdrawOffer",
    "add_queue",
    "answer_offer",
    "assign",
    "change_agent",
    "change_presence",
    "change_queue",
    "close_cases",
    "forget_hours",
    "keep_agents",
    "keep_tenants",
    "note_arrivals",
    "note_statuses",
    "remove_queue",
    "reopen_cases",
    "schedule_in",
    "set_auto_replies",
    "set_hours",
    "withdraw_offer",
]
