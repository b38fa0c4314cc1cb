"""The shapes that routing's API gives."""

from datetime import datetime

from pydantic import BaseModel, Field


class WaitingShown(BaseModel):
    count: int = Field(description="Conversations whose customer waits for an answer.")
    oldest_since: datetime | None = Field(description="Since when the first of them waits.")
