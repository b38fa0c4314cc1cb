"""What routing is told by its environment."""

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    pass
