"""A request as it comes in: with what is drawn at random for it, and the fingerprints under which codes are counted."""

import secrets
from typing import Final
from uuid import UUID

from services.privacy.domain.identity import CODE_DIGITS, lookup_key
from services.privacy.handlers import DrawnCode, ReceiveRequest, drawn
from services.privacy.schemas import AskedFor
from services.privacy.settings import Settings
from shared.bearers import SECRET_BYTES
from shared.ids import new_id
from shared.service import Kernel

_FIELD: Final = "privacy-request"


def draw_code(tenant_id: UUID, office: Kernel[Settings]) -> DrawnCode:
    """A code of six digits. Its digest is kept here and, until it is sent, itself, sealed; in the clear it stands in
    the notice that brings it to the person, and goes the way of any message."""
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    return drawn(code, new_id(), tenant_id, office.blind_index, office.sealer)


def coming_in(
    body: AskedFor, tenant_id: UUID, office: Kernel[Settings], *, origin: str, wanted_id: UUID | None = None
) -> ReceiveRequest:
    """What is asked for, as it is taken in; the codes of each origin are counted by fingerprints of their own."""
    names = {lookup_key(one.kind, one.value) for one in body.identifiers}
    names |= {f"id:{wanted_id}"} if wanted_id is not None else set()
    return ReceiveRequest(
        tenant_id=tenant_id,
        right=body.type,
        origin=origin,
        wanted_id=wanted_id,
        identifiers=[one.model_dump() for one in body.identifiers],
        identifier_refs=sorted(office.blind_index.of(tenant_id, f"{_FIELD}|{origin}", name) for name in names),
        contact_channel=str(body.contact_channel) if body.contact_channel else None,
        scope=body.scope,
        text=body.text,
        locale=body.locale,
        secret=secrets.token_bytes(SECRET_BYTES),
        code=draw_code(tenant_id, office),
    )
