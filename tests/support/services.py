"""The index cards of all processes."""

from collections.abc import Mapping
from typing import Any

from gateway.app import service as gateway
from services.conversation.app import service as conversation
from services.ingest.app import service as ingest
from services.metrics.app import service as metrics
from services.privacy.app import service as privacy
from services.routing.app import service as routing
from shared.service import Service

SERVICES: Mapping[str, Service[Any]] = {
    service.name: service for service in (gateway, ingest, routing, conversation, metrics, privacy)
}
