"""What routing is told by its environment."""

from shared.settings import GatherSeconds, ServiceSettings


class Settings(ServiceSettings):
    gather_seconds: GatherSeconds = 0.02
