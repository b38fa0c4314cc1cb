"""Metrics' API."""

from services.metrics.api.figures import metrics
from services.metrics.api.measuring import furnish

__all__ = ["furnish", "metrics"]
