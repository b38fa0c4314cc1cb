"""Privacy serves the rights of the person."""

from pathlib import Path

from services.privacy import api, handlers
from services.privacy.models import Table
from services.privacy.settings import Settings
from shared.events.conversation import ContactAdded
from shared.events.gateway import ApiKeyChanged, TenantChanged
from shared.service import Service

service = Service(
    name="privacy",
    settings=Settings,
    location=Path(__file__).parent,
    tables=Table,
    api=[api.privacy],
    hears={
        ContactAdded: [handlers.register_subjects],
        TenantChanged: [handlers.know_tenants],
        ApiKeyChanged: [handlers.register_grants],
    },
)
app = service.asgi
