"""Every query of metrics, tenant first."""

from services.metrics.store.calendars import calendars, first_versions, keep_hours, know_tenants
from services.metrics.store.facts import log_facts, mark_concerned
from services.metrics.store.figures import is_known, read_figure
from services.metrics.store.measures import (
    Held,
    Which,
    add,
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
    "remove",
    "settle",
    "try_to_hold",
]
