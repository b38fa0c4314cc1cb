"""WhatsApp accounts of one tenant at ingest, and what Meta posts for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select

from services.ingest.models import DeliveryStatus, RawEvent
from shared.db import Database
from tests.support.events import NOON
from tests.support.outbox import said
from tests.support.serving import Served
from tests.support.whatsapp import Text, body_of, message_of, signed

SECRET, TOKEN = "a-secret-of-meta", "a-token-of-ours"


def new_channel(number: str = "106540352242922", secret: str = SECRET, **changes: Any) -> dict[str, Any]:
    """The body that connects an account."""
    return {
        "kind": "whatsapp",
        "name": "WhatsApp da loja",
        "settings": {"phone_number_id": number},
        "credentials": {"app_secret": secret, "verify_token": TOKEN, "access_token": "EAAG-access-token"},
    } | changes


def text(id_: str = "A", sender: str = "5511987654321", **changes: Any) -> dict[str, Any]:
    """A text as Meta tells it."""
    return message_of(Text(f"wamid.{id_}", sender, NOON)) | changes


def body(*messages: dict[str, Any], number: str = "106540352242922") -> bytes:
    return body_of(number, messages, [message["from"] for message in messages if "from" in message])


@dataclass(frozen=True)
class Accounts:
    """Connected, posted to, and looked into."""

    served: Served
    database: Database
    tenant_id: UUID

    @property
    def admin(self) -> httpx.AsyncClient:
        return self.served.caller(self.tenant_id)

    async def connect(self, number: str = "106540352242922", secret: str = SECRET) -> dict[str, Any]:
        answer = await self.admin.post("/channels", json=new_channel(number, secret))
        assert answer.status_code == 201, answer.text
        channel: dict[str, Any] = answer.json()
        return channel

    async def post(self, channel: dict[str, Any], content: bytes, secret: str = SECRET) -> httpx.Response:
        """A webhook as Meta posts it."""
        path = f"/webhooks/whatsapp/{channel['id']}"
        return await self.served.stranger.post(path, content=content, headers=signed(content, secret))

    async def raw_events(self) -> Sequence[RawEvent]:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            query = select(RawEvent).where(RawEvent.tenant_id == self.tenant_id).order_by(RawEvent.id)
            return (await uow.session.scalars(query)).all()

    async def statuses(self) -> Sequence[DeliveryStatus]:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            query = select(DeliveryStatus).where(DeliveryStatus.tenant_id == self.tenant_id)
            return (await uow.session.scalars(query)).all()

    async def said(self) -> list[Any]:
        return await said(self.database, self.tenant_id)
