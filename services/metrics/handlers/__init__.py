"""What metrics does: it writes down what it hears, and measures it."""

from services.metrics.handlers.facts import (
    MeasureAgain,
    count_messages,
    count_openings,
    count_reopenings,
    count_resolutions,
    keep_hours,
    know_tenants,
    measure_again,
    note_assignments,
    note_changes,
    note_queues,
    note_withdrawals,
)
from services.metrics.handlers.measuring import (
    AT_ONCE,
    PUT_OFF,
    Remeasured,
    measure_continually,
    measure_due,
    remeasure_all,
)

__all__ = [
    "AT_ONCE",
    "PUT_OFF",
    "MeasureAgain",
    "Remeasured",
    "count_messages",
    "count_openings",
    "count_reopenings",
    "count_resolutions",
    "keep_hours",
    "know_tenants",
    "measure_again",
    "measure_continually",
    "measure_due",
    "note_assignments",
    "note_changes",
    "note_queues",
    "note_withdrawals",
    "remeasure_all",
]
