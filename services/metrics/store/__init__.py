"""Every query of metrics, tenant first."""

from services.metrics.store.facts import first_versions, keep_hours, know_tenants, log_facts, mark_concerned
from services.metrics.store.figures import is_known, read_figure, read_stock
from services.metrics.store.measures import (
    Held,
    Which,
    add,
    calendars,
    due,
    facts_of,
    hold,
    is_to_be_marked,
    marking_key,
    measured_tenants,
    measures_of,
    next_conversations,
    put_off,
    remove,
    settle,
    try_to_hold,
)

__all__ = [
    "Held",
    "Which",
    "add",
    "calendars",
    "due",
    "facts_of",
    "first_versions",
    "hold",
    "is_known",
    "is_to_be_marked",
    "keep_hours",
    "know_tenants",
    "log_facts",
    "mark_concerned",
    "marking_key",
    "measured_tenants",
    "measures_of",
    "next_conversations",
    "put_off",
    "read_figure",
    "read_stock",
    "remove",
    "settle",
    "try_to_hold",
]
