"""A request whose data is gathered, and services that deposit by hand what they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson
from sqlalchemy import func, select

from services.privacy.app import service
from services.privacy.domain.requests import TrackingToken
from services.privacy.handlers import collection
from services.privacy.handlers.collection import SILENT_AFTER, CollectionTimedOut
from services.privacy.handlers.requests import move
from services.privacy.models import DepositPart, DepositTask, Package, Request
from shared.db import Database, Job, Waiting
from shared.events.conversation import ContactAdded
from shared.events.gateway import TenantChanged
from shared.events.ingest import Address
from shared.ids import new_id
from shared.personal import Sealer
from shared.rights import KEY_PURPOSE, PARTICIPANTS, Place, digest_of, digest_over, open_part, seal_part
from tests.support.events import NOON
from tests.support.hearing import hear
from tests.support.outbox import said
from tests.support.serving import Served

SEALER = Sealer(bytes(range(32)))


def rows_of(table: str, *rows: Mapping[str, Any]) -> bytes:
    """A part before it is sealed."""
    return orjson.dumps({"table": table, "rows": rows})


def complete(*parts: bytes, **tables: tuple[int, Mapping[str, str]]) -> bytes:
    """The last part of a service, after these: of each table the number of rows, and its personal columns."""
    given = {name: {"rows": rows, "categories": categories} for name, (rows, categories) in tables.items()}
    digest = digest_over(map(digest_of, parts)).hex()
    return orjson.dumps({"complete": {"parts": len(parts), "digest": digest, "tables": given}})


@dataclass(frozen=True)
class Gathering:
    """One request that collects."""

    served: Served
    database: Database
    tenant_id: UUID
    request_id: UUID
    token: TrackingToken
    key: bytes
    references: Mapping[str, Sequence[str]]

    @classmethod
    async def begun(cls, served: Served, database: Database, tenant_id: UUID, **changes: Any) -> "Gathering":
        """Asked for by a customer who has proved himself, and granted."""
        contact_id, request_id = new_id(), new_id()
        await _make_known(database, tenant_id, contact_id)
        token = TrackingToken(tenant_id, contact_id.bytes * 2)
        references = {"contact": [str(contact_id)], "user": [], "sender": ["5f1c"], "visitor": []}
        async with database.unit_of_work([tenant_id]) as uow:
            request = _request(tenant_id, request_id, contact_id, token, uow.now, changes)
            uow.session.add(request)
            await uow.session.flush()
            await collection.begin(request, references, SEALER, uow)
            await move(request, "collecting", uow, actor="dpo")
        async with database.unit_of_work([tenant_id]) as uow:
            query = select(Package.sealed_key).where(Package.request_id == request_id)
            sealed = (await uow.session.scalars(query)).one()
        key = SEALER.open(sealed, purpose=KEY_PURPOSE, context=str(request_id))
        return cls(served, database, tenant_id, request_id, token, key, references)

    @property
    def dpo(self) -> httpx.AsyncClient:
        return self.served.caller(self.tenant_id, name=str(UUID(int=7)))

    @property
    def person(self) -> httpx.AsyncClient:
        client = self.served.caller(self.tenant_id, ["public"], name="public|203.0.113.9")
        client.headers["X-Tracking-Token"] = str(self.token)
        return client

    def sealed(self, service_: str, number: int, plain: bytes, *, attempt: int = 1) -> bytes:
        return seal_part(self.key, plain, self._place(service_, number, attempt))

    def _place(self, service_: str, number: int, attempt: int) -> Place:
        return Place(self.tenant_id, self.request_id, service_, attempt, number)

    async def put(self, service_: str, number: int, sealed: bytes, *, attempt: int = 1) -> int:
        """The status with which the door answers."""
        path = self._place(service_, number, attempt).path
        return (await self.served.stranger.put(path, content=sealed)).status_code

    async def deposit(self, service_: str, number: int, plain: bytes, *, attempt: int = 1) -> int:
        return await self.put(service_, number, self.sealed(service_, number, plain, attempt=attempt), attempt=attempt)

    async def hand_over(self, service_: str, *parts: bytes, **tables: tuple[int, Mapping[str, str]]) -> None:
        """All that a service holds."""
        for number, plain in enumerate((*parts, complete(*parts, **tables)), start=1):
            assert await self.deposit(service_, number, plain) == 204

    async def hand_over_all(self, *but: str) -> None:
        """Nothing from every service but these."""
        for service_ in PARTICIPANTS:
            if service_ not in but:
                await self.hand_over(service_)

    async def time_out(self, attempt: int = 1) -> None:
        """The quarter of an hour is over."""
        job = CollectionTimedOut(tenant_id=self.tenant_id, request_id=self.request_id, attempt=attempt)
        await self.do(job)

    async def heard(self, service_: str, *, ago: timedelta) -> None:
        """The service handed something over last so long ago."""
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            keys = (self.tenant_id, self.request_id, service_)
            (await uow.session.get_one(DepositTask, keys)).heard_at = uow.now - ago

    async def do(self, job: Any, *, after: timedelta = SILENT_AFTER) -> None:
        """What this job does when it is due."""
        async with self.database.unit_of_work([self.tenant_id], now=datetime.now(UTC) + after) as uow:
            await service.does[type(job)](job, uow)  # type: ignore[operator]

    async def due(self, kind: type[Job]) -> datetime:
        """When the last job of this kind that was scheduled for the request is due."""
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            own = Waiting.payload["request_id"].astext == str(self.request_id)
            query = select(Waiting.due_at).where(Waiting.type == kind.type, own)
            return (await uow.session.scalars(query.order_by(Waiting.id.desc()).limit(1))).one()

    async def ask_again(self) -> None:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            request = await uow.session.get_one(Request, self.request_id)
            await collection.ask_again(request, self.references, uow)
            if request.state != "collecting":
                await move(request, "collecting", uow, actor="dpo")

    async def another(self) -> "Gathering":
        """The same at another tenant."""
        return await Gathering.begun(self.served, self.database, new_id())

    async def request(self) -> Request:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            return await uow.session.get_one(Request, self.request_id)

    async def state(self) -> str:
        return (await self.request()).state

    async def silent(self) -> list[str]:
        return (await self.request()).silent

    async def package(self) -> Package | None:
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            return await uow.session.get(Package, (self.tenant_id, self.request_id))

    async def count(self, kind: type[Package] | type[DepositPart]) -> int:
        """The rows that are there for this request."""
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            query = select(func.count()).select_from(kind).where(kind.request_id == self.request_id)
            return (await uow.session.execute(query)).scalar_one()

    async def stored(self, service_: str, number: int) -> list[dict[str, Any]]:
        """The rows of a part that is kept."""
        async with self.database.unit_of_work([self.tenant_id]) as uow:
            keys = (self.tenant_id, self.request_id, service_, number)
            part = await uow.session.get_one(DepositPart, keys)
        plain = open_part(self.key, part.sealed, self._place(service_, number, 1))
        rows: list[dict[str, Any]] = orjson.loads(plain)["rows"]
        return rows

    async def evidence(self) -> dict[str, dict[str, Any]]:
        answer = await self.dpo.get(f"/privacy/requests/{self.request_id}/evidence")
        assert answer.status_code == 200, answer.text
        return {one["service"]: one for one in answer.json()["services"]}

    async def said(self) -> list[Any]:
        return [event for event in await said(self.database, self.tenant_id) if event.request_id == self.request_id]

    async def entries(self) -> list[dict[str, Any]]:
        """What was written down of it, oldest first."""
        answer = await self.dpo.get("/privacy/audit", params={"request_id": str(self.request_id)})
        return list(reversed(answer.json()["items"]))

    async def actions(self) -> list[str]:
        """What was done for it, oldest first."""
        return [entry["action"] for entry in await self.entries()]


async def _make_known(database: Database, tenant_id: UUID, contact_id: UUID) -> None:
    tenant = TenantChanged(
        tenant_id=tenant_id,
        name="Padaria Sol & Mar",
        slug="padaria",
        country="BR",
        time_zone="America/Sao_Paulo",
        locale="pt-BR",
        legal_regime="lgpd",
        role="controller",
        version=1,
        changed_at=NOON,
    )
    person = ContactAdded(
        tenant_id=tenant_id,
        contact_id=contact_id,
        channel_id=UUID(int=tenant_id.int ^ 1),
        channel_kind="whatsapp",
        addresses=[Address(kind="wa_phone", value="5511987654321")],
    )
    await hear(service, database, tenant, person)


def _request(
    tenant_id: UUID, request_id: UUID, contact_id: UUID, token: TrackingToken, now: datetime, changes: Mapping[str, Any]
) -> Request:
    fields: dict[str, Any] = {
        "id": request_id,
        "tenant_id": tenant_id,
        "right": "access",
        "state": "approved",
        "origin": "public",
        "identifiers": [],
        "scope": [],
        "locale": "pt-BR",
        "token_digest": token.digest,
        "subject_id": contact_id,
        "subject_ids": [contact_id],
        "proof_until": now,
        "proven_by": "code",
        "proven_at": NOON,
        "received_at": NOON,
        "due_at": now + timedelta(days=15),
        "legal_latest_at": now + timedelta(days=15),
        "rule_id": "lgpd-19-ii",
        "calendar_version": "none",
        "inputs": {"regime": "lgpd"},
        "silent": [],
        "changed_at": now,
    }
    return Request(**{**fields, **changes})
