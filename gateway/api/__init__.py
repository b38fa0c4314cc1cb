"""The gateway's own API, and the door to everything else."""

from gateway.api.api_keys import api_keys
from gateway.api.auth import login, logout
from gateway.api.door import callers, door, furnish, passing
from gateway.api.tenants import tenants
from gateway.api.users import users

__all__ = ["api_keys", "callers", "door", "furnish", "login", "logout", "passing", "tenants", "users"]
