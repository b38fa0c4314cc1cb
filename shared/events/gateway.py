"""What the gateway says: the state of tenants and of their keys, on a compacted topic."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.events.base import Event
from shared.personal import Personal, Plain


class TenantChanged(Event):
    """All that the services need to know of a tenant, as it stands now."""

    type = "gateway.tenant-changed.v1"
    keyed_by = "tenant_id"

    name: Plain[str]
    slug: Plain[str]
    country: Plain[str] = Field(examples=["BR", "PT"])
    time_zone: Plain[str] = Field(examples=["America/Sao_Paulo", "Europe/Lisbon"])
    locale: Plain[str] = Field(examples=["pt-BR", "pt-PT", "en", "es", "fr"])
    legal_regime: Plain[str] = Field(examples=["lgpd", "gdpr"])
    role: Plain[str] = Field(examples=["controller", "operator"])
    version: Plain[int]
    changed_at: Plain[datetime]


class ApiKeyChanged(Event):
    """An API key as it stands now: who may do what, and since when no more."""

    type = "gateway.api-key-changed.v1"
    keyed_by = "api_key_id"

    api_key_id: Plain[UUID]
    user_id: Plain[UUID | None] = None
    """As whom it calls; none where it calls as itself."""
    label: Annotated[str, Personal("user.name")]
    role: Plain[str]
    scopes: Plain[list[str]]
    created_at: Plain[datetime]
    expires_at: Plain[datetime | None] = None
    revoked_at: Plain[datetime | None] = None


class UserChanged(Event):
    """A user as he stands now; whoever may serve customers is an agent to routing."""

    type = "gateway.user-changed.v1"
    keyed_by = "user_id"
    about = "user_id"

    user_id: Plain[UUID]
    name: Annotated[str, Personal("user.name")]
    role: Plain[str] = Field(examples=["admin", "supervisor", "agent", "dpo", "integration", "viewer"])
    active: Plain[bool]
    version: Plain[int]
    changed_at: Plain[datetime]
