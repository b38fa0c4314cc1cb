"""What metrics does: it writes down what it hears, and measures it."""

from services.metrics.handlers.facts import (
    MeasureAgain,
    keep_hours,
    know_tenants,
    measure_again,
    write_facts,
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
    "keep_hours",
    "know_tenants",
    "measure_again",
    "measure_continually",
    "measure_due",
    "remeasure_all",
    "write_facts",
]
