"""The shapes that metrics' API gives."""

from pydantic import BaseModel, Field


class FigureShown(BaseModel):
    group: str | None = Field(description="The channel's id or the day, as asked; null when it was not.")
    count: int


class MetricShown(BaseModel):
    items: list[FigureShown]
    definition: str = Field(description="What the figure means, in words.")
