"""What routing is told by its environment."""

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    gather_seconds: float = Field(0.02, ge=0, le=1, description="how long events wait for others to be handled with")
