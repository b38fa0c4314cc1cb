"""The gateway is the front door: one REST API over all services."""

from pathlib import Path

from gateway import api
from gateway.docs_page import docs_page
from gateway.models import Table
from gateway.realtime import SHOWN, events, socket
from gateway.routes import BEGINNINGS
from gateway.settings import Settings
from shared.events.gateway import ApiKeyChanged, TenantChanged, UserChanged
from shared.service import Service

service = Service(
    name="gateway",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    doors=dict.fromkeys(BEGINNINGS, api.passing),
    api=[api.tenants, api.users, api.api_keys, api.login, api.logout, events, socket, api.door, docs_page],
    shows=list(SHOWN),
    says=[TenantChanged, UserChanged, ApiKeyChanged],
    furnish=api.furnish,
    callers=api.callers,
    dead_letters_at="/v1/operations/gateway/dead-letters",
)
app = service.asgi
