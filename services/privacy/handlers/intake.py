"""Taking in what a person asks for: the clock begins to run, and he is asked to prove who he is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.privacy.domain.deadlines import deadline
from services.privacy.domain.requests import RECEIVED, Right, TrackingToken
from services.privacy.handlers.audit import PRIVACY
from services.privacy.handlers.deadlines import place_of, watch
from services.privacy.handlers.proof import DrawnCode, make_code
from services.privacy.handlers.requests import move, note, tell_changed
from services.privacy.handlers.tenants import known_tenant
from services.privacy.models import Request
from shared.db import UnitOfWork


@dataclass(frozen=True, slots=True)
class ReceiveRequest:
    """What a person asks for, or somebody of the staff for him; `secret` and `code` were drawn at random."""

    tenant_id: UUID
    right: Right
    origin: str
    wanted_id: UUID | None
    identifiers: Sequence[dict[str, str]] = field(repr=False)
    identifier_refs: list[str]
    """Fingerprints of the identifiers, or of the one who is wanted."""
    contact_channel: str | None
    scope: list[str]
    text: str | None = field(repr=False)
    locale: str | None
    secret: bytes = field(repr=False)
    code: DrawnCode


async def receive_request(command: ReceiveRequest, uow: UnitOfWork, *, actor: str) -> tuple[Request, TrackingToken]:
    """Take a request in, with its deadline and the token by which it is followed; nobody is looked for yet.

    However often somebody asks, the clock begins to run: what is limited are the codes (see `make_code`). Raises
    `NotFound` while the tenant is not known here.
    """
    tenant = await known_tenant(command.tenant_id, uow)
    token = TrackingToken(command.tenant_id, command.secret)
    until = deadline(command.right, uow.now, await place_of(tenant, uow))
    terms: dict[str, Any] = {
        "due_at": until.due_at,
        "legal_latest_at": until.legal_latest_at,
        "rule_id": until.rule_id,
        "calendar_version": until.calendar_version,
        "inputs": dict(until.inputs),
    }
    request = Request(
        id=uow.new_id(),
        tenant_id=command.tenant_id,
        right=command.right,
        state=RECEIVED,
        origin=command.origin,
        wanted_id=command.wanted_id,
        identifiers=list(command.identifiers),
        contact_channel=command.contact_channel,
        scope=command.scope,
        text=command.text,
        locale=command.locale,
        token_digest=token.digest,
        subject_ids=[],
        # The DPO has until the deadline to see for himself who it is; who asks alone has until his code's end.
        proof_until=until.due_at if command.origin == "staff" else uow.now,
        received_at=uow.now,
        silent=[],
        changed_at=uow.now,
        **terms,
    )
    uow.session.add(request)
    await make_code(request, command.code, command.identifier_refs, uow)
    tell_changed(request, uow)
    watch(request, uow)
    await note(request, "request_received", uow, actor=actor, right=request.right, origin=request.origin)
    await move(request, "identity_pending", uow, actor=PRIVACY)
    return request, token
