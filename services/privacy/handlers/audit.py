"""Writing down who did what for a person's rights, and showing that nothing of it was changed since."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from services.privacy import store
from services.privacy.domain.audit import Break, Chain, Detail, Entry, Head, Link
from services.privacy.models import AuditSeal
from shared.db import Job, UnitOfWork
from shared.jobs import Outside
from shared.personal import SealBrokenError, Sealer

SEALED_WITHIN: Final = timedelta(hours=1)
"""An entry that is older and under no seal was put there when nobody sealed, or its seal was taken away."""

PRIVACY: Final = "privacy"
"""The actor of what happens by itself."""
SUBJECT: Final = "subject"
"""The actor of what a person does, who is known by his token or his link."""

_PURPOSE: Final = "audit-head"


class SealAuditChain(Job):
    """Seals what was written down: who has nothing but the database cannot do that."""

    type = "privacy.seal-audit-chain"


class SealedHead(NamedTuple):
    head: Head
    seal: bytes


async def write_down(
    uow: UnitOfWork,
    *,
    tenant_id: UUID,
    actor: str,
    action: str,
    request_id: UUID | None = None,
    subject_id: UUID | None = None,
    details: Mapping[str, Detail] = {},
) -> None:
    """Add an entry to the tenant's chain, and have it sealed soon. It names nobody but by reference.

    The chain is held from here to the commit: this comes last in a transaction, after all locks on rows.
    """
    # What the session has not written yet may have to wait for a row.
    await uow.session.flush()
    head = await store.hold_chain(tenant_id, uow.session)
    entry = Entry(
        tenant_id=tenant_id,
        seq=head.seq + 1,
        at=uow.now,
        actor=actor,
        action=action,
        request_id=request_id,
        subject_id=subject_id,
        details=details,
    )
    await store.add_entry(Link(entry, head.hash, entry.hash_after(head.hash)), uow.session)
    seal = SealAuditChain(tenant_id=tenant_id)
    uow.schedule_unless_waiting(seal, key=f"audit|{tenant_id}", due_at=uow.now)


async def verify_chain(tenant_id: UUID, noted: Head | None, sealer: Sealer, uow: UnitOfWork) -> Chain:
    """The chain, followed from its first entry to its last or to where it is broken.

    A change, a gap, an entry put in between, and entries missing at the end show; with a head `noted` earlier, also
    that the chain goes on from it. What only the database could say is not believed: see `SEALED_WITHIN`.
    """
    seal = await store.chain_seal(tenant_id, uow.session)
    chain = Chain.witnessed(noted=noted, sealed=_opened(seal, sealer) if seal is not None else None)
    async for links in store.chain_pages(tenant_id, uow.session):
        chain = await asyncio.to_thread(chain.follow, links)
        if chain.broken_at is not None:
            return chain
    chain = chain.ended()
    sealed_seq = seal.seq if seal is not None else 0
    since = await store.written_since(tenant_id, sealed_seq, uow.session)
    if chain.broken_at is None and since is not None and since < uow.now - SEALED_WITHIN:
        return replace(chain, broken_at=Break(sealed_seq + 1, "not sealed"))
    return chain


def _opened(seal: AuditSeal, sealer: Sealer) -> Head:
    """The head that was sealed; a seal that does not open fits no entry."""
    try:
        hash_ = sealer.open(seal.seal, purpose=_PURPOSE, context=_context(seal.tenant_id, seal.seq))
    except SealBrokenError:
        hash_ = b""
    return Head(seal.seq, hash_)


async def _read_head(job: SealAuditChain, uow: UnitOfWork) -> tuple[UUID, Head] | None:
    """The head, when it is not sealed yet."""
    seal, head = await store.chain_seal(job.tenant_id, uow.session), await store.chain_head(job.tenant_id, uow.session)
    return (job.tenant_id, head) if seal is None or seal.seq < head.seq else None


async def _seal_head(needed: tuple[UUID, Head] | None, sealer: Sealer) -> SealedHead | None:
    if needed is None:
        return None
    tenant_id, head = needed
    return SealedHead(head, sealer.seal(head.hash, purpose=_PURPOSE, context=_context(tenant_id, head.seq)))


async def _keep_seal(job: SealAuditChain, sealed: SealedHead | None, uow: UnitOfWork) -> None:
    if sealed is not None:
        row = {"tenant_id": job.tenant_id, "seq": sealed.head.seq, "seal": sealed.seal, "sealed_at": uow.now}
        await store.keep_seal(row, uow.session)


def _context(tenant_id: UUID, seq: int) -> str:
    return f"{tenant_id}|{seq}"


SEALING: Final = Outside(read=_read_head, call=_seal_head, record=_keep_seal)
"""Nothing outside is called: the job is of this kind because only such a one is given the sealer."""
