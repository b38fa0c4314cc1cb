"""What is measured, one step after the other in one running set."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from tests.bench.figures import Figure
from tests.bench.setting import Setting
from tests.bench.steps import assignments, costs, saturation, steady, waits

STEPS: Final[Mapping[str, Callable[[Setting], Awaitable[list[Figure]]]]] = {
    "memory": costs.idle_memory,
    "passage": costs.passage,
    "warm-up": saturation.warm_up,
    "sustained": saturation.sustained,
    "webhooks": waits.webhooks,
    "visible": waits.visible,
    "steady": steady.steady,
    "assigned": assignments.assigned,
    "conversations": assignments.conversations,
    "alone": saturation.alone,
    "million": saturation.million,
    "peak": costs.peak_memory,
}
"""In the order in which they are run."""
