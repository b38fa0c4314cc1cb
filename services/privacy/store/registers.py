"""The registers: tenants, data subjects and their addresses, access grants; tenant first."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.privacy.domain.identity import Known
from services.privacy.models import AccessGrant, Subject, SubjectIdentifier, Tenant
from shared.db import Rowset, Statement

_KNOWN = tuple(getattr(SubjectIdentifier, name) for name in Known.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class NewSubject:
    """A person of whom data is held."""

    id: UUID
    tenant_id: UUID
    kind: str
    known_since: datetime


@dataclass(frozen=True, slots=True)
class NewIdentifier:
    """An address by which a person is reached."""

    id: UUID
    tenant_id: UUID
    subject_id: UUID
    channel_id: UUID
    channel_kind: str
    kind: str
    value: str = field(repr=False)
    lookup_key: str = field(repr=False)
    known_since: datetime


# One statement cannot change a row twice: of what is told twice the earlier counts.
_SUBJECTS = Rowset("row", id="uuid", tenant_id="uuid", kind="text", known_since="timestamptz")
_KEEP_SUBJECTS = Statement(f"""
INSERT INTO subjects AS s ({_SUBJECTS.columns})
SELECT DISTINCT ON (id) {_SUBJECTS.columns} FROM {_SUBJECTS} ORDER BY id, known_since
ON CONFLICT (id) DO UPDATE SET known_since = excluded.known_since WHERE excluded.known_since < s.known_since
""")

_IDENTIFIERS = Rowset(
    "row",
    id="uuid",
    tenant_id="uuid",
    subject_id="uuid",
    channel_id="uuid",
    channel_kind="text",
    kind="text",
    value="text",
    lookup_key="text",
    known_since="timestamptz",
)
_ONE_EACH = "tenant_id, subject_id, channel_id, kind, value"
_KEEP_IDENTIFIERS = Statement(f"""
INSERT INTO subject_identifiers AS i ({_IDENTIFIERS.columns})
SELECT DISTINCT ON ({_ONE_EACH}) {_IDENTIFIERS.columns} FROM {_IDENTIFIERS} ORDER BY {_ONE_EACH}, known_since
ON CONFLICT ({_ONE_EACH}) DO UPDATE SET known_since = excluded.known_since WHERE excluded.known_since < i.known_since
""")


async def keep_subjects(told: Iterable[NewSubject], session: AsyncSession) -> None:
    """Keep who is known, since the earliest time that was told."""
    await session.execute(_KEEP_SUBJECTS, _SUBJECTS.of(told))


async def keep_identifiers(told: Iterable[NewIdentifier], session: AsyncSession) -> None:
    """Keep by which addresses persons are reached, each since the earliest time that was told."""
    await session.execute(_KEEP_IDENTIFIERS, _IDENTIFIERS.of(told))


async def subjects(tenant_id: UUID, ids: Collection[UUID], session: AsyncSession) -> Sequence[Subject]:
    """Those of these persons who are known."""
    query = select(Subject).where(Subject.tenant_id == tenant_id, Subject.id.in_(ids))
    return (await session.scalars(query.order_by(Subject.id))).all()


async def addresses(
    tenant_id: UUID, session: AsyncSession, *, of: Collection[UUID] = (), alike: Collection[str] = ()
) -> list[Known]:
    """The addresses of these persons, and those that are found by these lookup keys."""
    query = select(*_KNOWN).where(
        SubjectIdentifier.tenant_id == tenant_id,
        or_(SubjectIdentifier.subject_id.in_(of), SubjectIdentifier.lookup_key.in_(alike)),
    )
    return [Known(*row) for row in await session.execute(query.order_by(SubjectIdentifier.id))]


async def address(tenant_id: UUID, identifier_id: UUID, session: AsyncSession) -> Known | None:
    query = select(*_KNOWN).where(SubjectIdentifier.tenant_id == tenant_id, SubjectIdentifier.id == identifier_id)
    row = (await session.execute(query)).first()
    return Known(*row) if row is not None else None


async def keep_tenants(rows: Sequence[dict[str, Any]], session: AsyncSession) -> None:
    """Keep these versions, each unless a newer one is there."""
    statement = insert(Tenant)
    newer = Tenant.version < statement.excluded.version
    changes = {name: statement.excluded[name] for name in rows[0]}
    await session.execute(
        statement.on_conflict_do_update(index_elements=[Tenant.tenant_id], set_=changes, where=newer),
        sorted(rows, key=lambda row: row["tenant_id"]),
    )


async def keep_grants(rows: Sequence[dict[str, Any]], session: AsyncSession) -> None:
    """Keep grants as they stand; what was revoked stays revoked."""
    statement = insert(AccessGrant)
    revoked = func.coalesce(AccessGrant.revoked_at, statement.excluded.revoked_at)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[AccessGrant.api_key_id], set_={"revoked_at": revoked}),
        sorted(rows, key=lambda row: row["api_key_id"]),
    )


async def list_grants(
    tenant_id: UUID, session: AsyncSession, *, after: UUID | None, limit: int
) -> Sequence[AccessGrant]:
    query = select(AccessGrant).where(AccessGrant.tenant_id == tenant_id)
    if after is not None:
        query = query.where(AccessGrant.api_key_id > after)
    return (await session.scalars(query.order_by(AccessGrant.api_key_id).limit(limit))).all()


async def count_subjects(tenant_id: UUID, session: AsyncSession) -> int:
    query = select(func.count()).select_from(Subject).where(Subject.tenant_id == tenant_id)
    return (await session.execute(query)).scalar_one()


async def tenant(tenant_id: UUID, session: AsyncSession) -> Tenant | None:
    return await session.scalar(select(Tenant).where(Tenant.tenant_id == tenant_id))
