"""The audit chain by API: what was written down, and that nothing of it was changed since."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.privacy import handlers, store
from services.privacy.api.callers import InOffice, ReadPrivacy
from services.privacy.domain.audit import Break, Head
from services.privacy.models import AuditEntry
from services.privacy.schemas import AuditEntryShown, ChainBreakShown, ChainHeadShown, ChainVerificationShown
from shared.http import Invalid, Page, Pages, TransactionRoute, Work

audit = APIRouter(prefix="/privacy/audit", route_class=TransactionRoute, tags=["Privacy"])

HASH = r"[0-9a-f]{64}"


@audit.get("", summary="List the audit trail")
async def list_entries(
    caller: ReadPrivacy,
    paging: Pages,
    uow: Work,
    request_id: Annotated[UUID | None, Query(description="Only what belongs to this request.")] = None,
) -> Page[AuditEntryShown]:
    """Who did what for whose request, newest first. Entries hold references alone, and outlive what they refer to."""
    before = paging.after(int)
    rows = await store.list_entries(
        caller.tenant_id,
        uow.session,
        request_id=request_id,
        before=before[0] if before else None,
        limit=paging.more,
    )
    return paging.page(rows, _show, lambda row: (row.seq,))


@audit.get("/verification", summary="Verify the audit trail")
async def verify(
    caller: ReadPrivacy,
    uow: Work,
    office: InOffice,
    seq: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Of a head that was noted earlier.")] = None,
    hash_: Annotated[str | None, Query(alias="hash", pattern=f"^{HASH}$", description="Of the same head.")] = None,
) -> ChainVerificationShown:
    """Whether every entry stands as it was written, from the first to the last: each holds the hash of the one before
    it (SHA-256 over that hash and the entry as RFC 8785 has it), and the last is sealed soon after under a key that the
    database does not hold. Note `head`, and give it again later: then it also shows whether the trail goes on from it,
    and was not cut off or written anew."""
    if (seq is None) != (hash_ is None):
        raise Invalid("A head has a seq and a hash.")
    noted = Head(seq, bytes.fromhex(hash_)) if seq is not None and hash_ is not None else None
    chain = await handlers.verify_chain(caller.tenant_id, noted, office.sealer, uow)
    return ChainVerificationShown(
        valid=chain.broken_at is None,
        entries=chain.head.seq,
        head=ChainHeadShown(seq=chain.head.seq, hash=chain.head.hash.hex()) if chain.head.seq else None,
        broken_at=_show_break(chain.broken_at),
    )


def _show_break(broken: Break | None) -> ChainBreakShown | None:
    return ChainBreakShown(seq=broken.seq, why=broken.why) if broken is not None else None


def _show(row: AuditEntry) -> AuditEntryShown:
    return AuditEntryShown(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        action=row.action,
        request_id=row.request_id,
        subject_id=row.subject_id,
        details=row.details,
        hash=row.hash.hex(),
    )
