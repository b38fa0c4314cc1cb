"""The gateway is the front door: one REST API over all services."""

from pathlib import Path

from gateway import api
from gateway.models import Table
from gateway.settings import Settings
from shared.events.gateway import ApiKeyChanged, TenantChanged
from shared.service import Service

service = Service(
    name="gateway",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    api=[api.tenants, api.api_keys, api.door],
    says=[TenantChanged, ApiKeyChanged],
    furnish=api.furnish,
    callers=api.callers,
)
app = service.asgi
