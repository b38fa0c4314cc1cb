"""A tenant at which persons ask for what is their right, and the staff that answers them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select

from services.privacy import store
from services.privacy.api.drawing import coming_in, draw_code
from services.privacy.app import service
from services.privacy.handlers import (
    SENDING_CODES,
    SUBJECT,
    EndProof,
    NearDeadline,
    SendProofCode,
    make_another_code,
    receive_request,
    verify_by_hand,
    verify_code,
)
from services.privacy.handlers.deadlines import near_deadline
from services.privacy.handlers.proof import end_proof
from services.privacy.models import ProofCode, Request
from services.privacy.schemas import NewPublicRequest, NewRequest
from shared.db import Database
from shared.events import Event
from shared.events.conversation import ContactAdded
from shared.events.gateway import TenantChanged
from shared.events.ingest import Address
from shared.events.privacy import NoticeQueued
from shared.ids import new_id
from tests.support.events import NOON
from tests.support.hearing import hear
from tests.support.outbox import said
from tests.support.serving import Served

MARIA = "5511987654321"
HER_PHONE = [{"kind": "phone", "value": "+55 11 98765-4321"}]
NOBODYS_PHONE = [{"kind": "phone", "value": "+55 11 98765-0000"}]
BY_HER_PHONE = {"type": "access", "identifiers": HER_PHONE}


def tenant_changed(tenant_id: UUID, **changes: Any) -> TenantChanged:
    """A bakery in São Paulo."""
    fields: dict[str, Any] = {
        "name": "Padaria Sol",
        "slug": "padaria-sol",
        "country": "BR",
        "time_zone": "America/Sao_Paulo",
        "locale": "pt-BR",
        "legal_regime": "lgpd",
        "role": "controller",
        "version": 1,
        "changed_at": NOON,
    }
    return TenantChanged(tenant_id=tenant_id, **fields | changes)


PORTUGUESE = {"country": "PT", "time_zone": "Europe/Lisbon", "locale": "pt-PT", "legal_regime": "gdpr"}


def contact_added(
    tenant_id: UUID, *addresses: tuple[str, str], channel_id: UUID | None = None, kind: str = "whatsapp"
) -> ContactAdded:
    """A contact who is reached by these addresses on one channel."""
    return ContactAdded(
        tenant_id=tenant_id,
        contact_id=new_id(),
        channel_id=channel_id or UUID(int=tenant_id.int ^ 1),
        channel_kind=kind,
        addresses=[Address(kind=kind_, value=value) for kind_, value in addresses],
    )


@dataclass(frozen=True)
class Asking:
    """What is asked at one tenant: by API as it is now, by hand at any moment."""

    served: Served
    database: Database
    tenant_id: UUID

    async def hear(self, *events: Event) -> None:
        await hear(service, self.database, *events)

    async def open(self, **changes: Any) -> UUID:
        """The tenant is known, and so is Maria by her number; her contact's id."""
        maria = contact_added(self.tenant_id, ("wa_phone", MARIA))
        await self.hear(tenant_changed(self.tenant_id, **changes), maria)
        return maria.contact_id

    @property
    def dpo(self) -> httpx.AsyncClient:
        return self.served.caller(self.tenant_id, ["privacy:request", "privacy:read", "privacy:write"], name="dpo")

    @property
    def agent(self) -> httpx.AsyncClient:
        return self.served.caller(self.tenant_id, ["privacy:request"], name="agent")

    def person(self, token: str = "") -> httpx.AsyncClient:
        client = self.served.caller(self.tenant_id, ["public"], name="public|203.0.113.9")
        client.headers["X-Tracking-Token"] = token
        return client

    async def ask(self, **changes: Any) -> dict[str, Any]:
        """Maria asks by the public API, and her code is on its way."""
        answer = await self.person().post("/public/privacy/requests", json=BY_HER_PHONE | changes)
        assert answer.status_code == 202, answer.text
        taken: dict[str, Any] = answer.json()
        await self.send_code(taken["id"])
        return taken

    async def prove(self, taken: dict[str, Any]) -> dict[str, Any]:
        """Maria gives her code."""
        person = self.person(taken["tracking_token"])
        path = f"/public/privacy/requests/{taken['id']}/verification"
        answer = await person.post(path, json={"code": await self.code(taken["id"])})
        assert answer.status_code == 200, answer.text
        proven: dict[str, Any] = answer.json()
        return proven

    async def in_triage(self, **changes: Any) -> str:
        """A request that waits for a decision."""
        taken = await self.ask(**changes)
        assert (await self.prove(taken))["state"] == "triage"
        request_id: str = taken["id"]
        return request_id

    async def seen_by_the_dpo(self, **changes: Any) -> str:
        """A request of the staff's for one who has shown the DPO a document; nothing is answered by itself."""
        taken = (await self.agent.post("/privacy/requests", json=BY_HER_PHONE | changes)).json()
        proven = await self.decide(taken["id"], "verification", method="document")
        assert proven.json()["state"] == "triage", proven.text
        request_id: str = taken["id"]
        return request_id

    async def decide(self, request_id: str, decision: str, **body: Any) -> httpx.Response:
        return await self.dpo.post(f"/privacy/requests/{request_id}/{decision}", json=body or None)

    async def shown(self, request_id: str) -> dict[str, Any]:
        """As the DPO sees it."""
        answer = await self.dpo.get(f"/privacy/requests/{request_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def states(self, request_id: str) -> list[str]:
        """All states it came into, in order."""
        history = (await self.shown(request_id))["history"]
        return [step["details"]["to"] for step in history if step["action"] == "state_changed"]

    async def receive(self, now: datetime = NOON, **changes: Any) -> Request:
        """The same request at any moment; of the staff's, where it names a contact or a user."""
        fields = BY_HER_PHONE | changes
        wanted_id = fields.get("contact_id") or fields.get("user_id")
        shape = NewRequest if wanted_id else NewPublicRequest
        body = shape(**fields | ({"identifiers": []} if wanted_id else {}))
        origin = "staff" if wanted_id else "public"
        office = self.served.app.state.office
        command = coming_in(body, self.tenant_id, office, origin=origin, wanted_id=wanted_id)
        async with self.database.unit_of_work([self.tenant_id], now=now) as uow:
            request, _ = await receive_request(command, uow, actor=SUBJECT)
        return request

    async def send_code(self, request_id: UUID | str, now: datetime | None = None) -> None:
        """What becomes of the code that was made last."""
        tenant_id, now = self.tenant_id, now or datetime.now(UTC)
        async with self.database.unit_of_work([tenant_id], now=now) as uow:
            last = await store.last_code(tenant_id, UUID(str(request_id)), uow.session)
            assert last is not None
            job = SendProofCode(tenant_id=tenant_id, request_id=last.request_id, code_id=last.id)
            needed = await SENDING_CODES.read(job, uow)
        code = await SENDING_CODES.call(needed, self.served.app.state.office.sealer)
        async with self.database.unit_of_work([tenant_id], now=now) as uow:
            await SENDING_CODES.record(job, code, uow)

    async def another_code(self, request: Request, now: datetime) -> None:
        async with self.database.unit_of_work([self.tenant_id], now=now) as uow:
            code = draw_code(self.tenant_id, self.served.app.state.office)
            await make_another_code(await self._held(request, uow), code, uow, actor=SUBJECT)

    async def verify(self, request: Request, code: str, now: datetime = NOON) -> bool:
        async with self.database.unit_of_work([self.tenant_id], now=now) as uow:
            index = self.served.app.state.office.blind_index
            return await verify_code(await self._held(request, uow), code, index, uow, actor=SUBJECT)

    async def end_proof(self, request: Request, now: datetime) -> str:
        """The state once the time for proof may be over."""
        async with self.database.unit_of_work([self.tenant_id], now=now) as uow:
            await end_proof(EndProof(tenant_id=self.tenant_id, request_id=request.id), uow)
        return await self.state(request)

    async def near_deadline(self, request: Request, share: float, now: datetime, due_at: datetime) -> None:
        job = NearDeadline(tenant_id=self.tenant_id, request_id=request.id, due_at=due_at, share=share)
        async with self.database.unit_of_work([self.tenant_id], now=now) as uow:
            await near_deadline(job, uow)

    async def prove_by_hand(self, request: Request, now: datetime = NOON) -> None:
        async with self.database.unit_of_work([self.tenant_id], now=now) as uow:
            await verify_by_hand(await self._held(request, uow), "document", None, uow, actor="dpo")

    async def do(self, job: Any, now: datetime | None = None) -> None:
        """What this job does when it is due."""
        async with self.database.unit_of_work([self.tenant_id], now=now) as uow:
            await service.does[type(job)](job, uow)  # type: ignore[operator]

    async def set(self, request: Request, **changes: Any) -> None:
        """Make it as it would be after some time."""
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            held = await self._held(request, uow)
            for name, value in changes.items():
                setattr(held, name, value)

    async def codes(self, request_id: UUID | str) -> Sequence[ProofCode]:
        """All that were made for a request."""
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            query = select(ProofCode).where(ProofCode.request_id == UUID(str(request_id)))
            return (await uow.session.scalars(query.order_by(ProofCode.made_at))).all()

    async def state(self, request: Request) -> str:
        return (await self.request(request.id)).state

    async def request(self, request_id: UUID | str) -> Request:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            return await uow.session.get_one(Request, UUID(str(request_id)))

    async def notices(self, request_id: UUID | str, kind: str) -> Sequence[NoticeQueued]:
        return [
            event
            for event in await said(self.database, self.tenant_id)
            if isinstance(event, NoticeQueued) and str(event.request_id) == str(request_id) and event.kind == kind
        ]

    async def code(self, request_id: UUID | str) -> str:
        """The code as it was sent last."""
        notice = (await self.notices(request_id, "proof_code"))[-1]
        found = re.search(r"\b\d{6}\b", notice.text)
        assert found is not None
        return found[0]

    async def _held(self, request: Request, uow: Any) -> Request:
        held = await store.request(self.tenant_id, request.id, uow.session, for_update=True)
        assert held is not None
        return held


def other(code: str) -> str:
    """A code that is not this one."""
    return f"{(int(code) + 1) % 10**6:06}"
