"""Metrics measures: an append-only log of facts, and figures that can be computed from it again at any time."""
