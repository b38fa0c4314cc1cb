"""The shapes that metrics' API gives."""

from pydantic import BaseModel, Field

from services.metrics.domain import Grouping, Metric


class FigureShown(BaseModel):
    group: str | None = Field(
        description="The id of the channel, queue or agent, the label, the day, or `human` or `automatic`, as asked; "
        "null when it was not, or for what has none.",
    )
    count: int = Field(description="How often, how many, or from how many a duration is.")
    mean: float | None = Field(None, description="Null where it is a count; so are the percentiles.")
    p50: float | None = Field(None, description="Half of them took no longer.")
    p90: float | None = None
    p95: float | None = None


class MetricShown(BaseModel):
    items: list[FigureShown] = Field(description="One for each group; none where there is nothing.")
    definition: str = Field(description="What the figure means, in words.")
    unit: str | None = Field(examples=["seconds"], description="Of mean and percentiles; null where it is a count.")


class DefinitionShown(BaseModel):
    name: Metric
    definition: str = Field(description="What the figure means, in words.")
    unit: str | None = Field(examples=["seconds"], description="Null where it is a count.")
    group_by: list[Grouping] = Field(description="By what it can be grouped.")
    business_hours: bool = Field(description="Whether the time can be left out in which it was closed.")


class DefinitionsShown(BaseModel):
    items: list[DefinitionShown]
