"""The gateway is the front door: one REST API over all services."""

from pathlib import Path

from gateway import api
from gateway.docs_page import docs_page
from gateway.models import Table
from gateway.routes import BEGINNINGS
from gateway.settings import Settings
from shared.events.gateway import ApiKeyChanged, TenantChanged
from shared.service import Service

service = Service(
    name="gateway",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    doors=dict.fromkeys(BEGINNINGS, api.passing),
    api=[api.tenants, api.api_keys, api.door, docs_page],
    says=[TenantChanged, ApiKeyChanged],
    furnish=api.furnish,
    callers=api.callers,
)
app = service.asgi
