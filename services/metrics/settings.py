"""What metrics is told by its environment."""

from shared.settings import GatherSeconds, ServiceSettings


class Settings(ServiceSettings):
    # Nobody waits for what is heard here.
    gather_seconds: GatherSeconds = 0.1
