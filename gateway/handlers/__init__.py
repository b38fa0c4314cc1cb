"""What the gateway does with tenants, users, keys and log-ins."""

from gateway.handlers.api_keys import AddApiKey, add_api_key, caller_of_key, revoke_api_key
from gateway.handlers.logins import Entrance, LogIn, caller_of_token, end_token, log_in
from gateway.handlers.tenants import AddTenant, add_tenant, change_tenant, tenant_of_slug
from gateway.handlers.users import AddUser, add_user, change_user

__all__ = [
    "AddApiKey",
    "AddTenant",
    "AddUser",
    "Entrance",
    "LogIn",
    "add_api_key",
    "add_tenant",
    "add_user",
    "caller_of_key",
    "caller_of_token",
    "change_tenant",
    "change_user",
    "end_token",
    "log_in",
    "revoke_api_key",
    "tenant_of_slug",
]
