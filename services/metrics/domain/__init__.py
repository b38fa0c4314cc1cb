"""What is counted and measured, and what each figure means; pure."""

from services.metrics.domain.calendar import Calendar, Hours, Place
from services.metrics.domain.charts import Point, bar_chart, line_chart
from services.metrics.domain.facts import Fact, FactKind, in_order
from services.metrics.domain.figures import (
    FIGURES,
    Figure,
    Grouping,
    Metric,
    NoAnswerError,
    Question,
    Source,
    check,
    span,
)
from services.metrics.domain.measuring import Measure, measures_of

__all__ = [
    "FIGURES",
    "Calendar",
    "Fact",
    "FactKind",
    "Figure",
    "Grouping",
    "Hours",
    "Measure",
    "Metric",
    "NoAnswerError",
    "Place",
    "Point",
    "Question",
    "Source",
    "bar_chart",
    "check",
    "in_order",
    "line_chart",
    "measures_of",
    "span",
]
