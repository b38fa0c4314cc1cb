"""The tables that every service has, whatever it is about: outbox, inbox, jobs, dead letters, kept answers."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.personal import about, about_nobody, not_personal, personal, secret

TENANTS_SETTING: Final = "app.tenants"
"""The setting that names the tenants a transaction may see; unset means none."""

JOBS: Final = "jobs"
"""Stands for a topic in the dead letter of a job."""

CALLED: Final = "called"
"""Stands in the headers of a dead job: whether something outside was called for it, and nobody may call again."""

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

_TYPES: dict[Any, Any] = {
    datetime: DateTime(timezone=True),
    UUID: Uuid(),
    str: Text(),
    bytes: LargeBinary(),
    dict[str, Any]: JSONB(none_as_null=True),
    list[Any]: JSONB(none_as_null=True),
}


class Model(DeclarativeBase):
    """The base of a service's tables; each service derives its own, so that metadata is never shared."""

    __abstract__ = True
    type_annotation_map = _TYPES


def new_metadata() -> MetaData:
    """Metadata with Balcão's names for constraints and indexes."""
    return MetaData(naming_convention=_NAMES)


def tenant_policy(table: str, column: str = "tenant_id", *, ownerless: bool = False) -> list[str]:
    """The statements that let a transaction see only the rows of its tenants, the table's owner included.

    Where rows may be `ownerless`, they can be written by all and are seen by none.
    """
    # A subquery of its own is evaluated once a statement, not once a row. And no index is chosen by the policy: each
    # query names its tenants itself, and by an array of unknown length all indexes would look equally bad.
    visible = f"(SELECT string_to_array(current_setting('{TENANTS_SETTING}', true), ',')::uuid[])::uuid[]"
    allowed = f"coalesce({column} = ANY ({visible}), false)"
    written = f"{column} IS NULL OR {allowed}" if ownerless else allowed
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenants ON {table} USING ({allowed}) WITH CHECK ({written})",
    ]


class Kernel(DeclarativeBase):
    """Tables of the kernel. Those that carry the work of all tenants at once have no row policy; dead letters have."""

    metadata = new_metadata()
    type_annotation_map = _TYPES


_SUBJECT: Final = "headers.ce_datasubject"
"""Where an event names the person whom it is about, whatever it calls him by."""

_UNDER_WAY: Final = {
    "info": about(tenant="headers.ce_tenantid", contact=_SUBJECT, user=_SUBJECT, sender=_SUBJECT),
}
"""They are looked through without an index: there are few, save while the broker is away or forgets."""


class _Letter:
    """The columns of an event that waits, was kept or died."""

    topic: Mapped[str] = mapped_column(info=not_personal())
    key: Mapped[str] = mapped_column(info=not_personal())
    headers: Mapped[dict[str, Any]] = mapped_column(info=not_personal())
    data: Mapped[bytes] = mapped_column(info=not_personal())
    personal: Mapped[bytes | None] = mapped_column(info=personal("message.content"))


class Outgoing(_Letter, Kernel):
    """An event to be published: its identity is its order."""

    __tablename__ = "outbox"
    __table_args__ = _UNDER_WAY

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    shard: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Published(_Letter, Kernel):
    """A published event, kept for a broker that forgets."""

    __tablename__ = "outbox_kept"
    __table_args__ = _UNDER_WAY

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    shard: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime]


class Claimed(Kernel):
    """An event that took effect here; its id tells when it was made."""

    __tablename__ = "inbox"
    __table_args__ = ({"info": about_nobody("an event is named by its id, and nothing is kept of what it said")},)

    event_id: Mapped[UUID] = mapped_column(primary_key=True)


class DeadLetter(_Letter, Kernel):
    """An event that could not take effect here, kept to be looked at and replayed."""

    __tablename__ = "dead_letters"
    __table_args__ = (Index(None, "tenant_id", "id"), {"info": about(contact=_SUBJECT, user=_SUBJECT, sender=_SUBJECT)})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID | None]
    event_id: Mapped[UUID | None]
    type: Mapped[str | None] = mapped_column(info=not_personal())
    partition: Mapped[int] = mapped_column(Integer)
    offset: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(info=not_personal())
    attempts: Mapped[int]
    died_at: Mapped[datetime]


class Waiting(Kernel):
    """A job: what happens later or elsewhere."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "due_at"),
        Index(None, "key", "id"),
        {"info": about_nobody("a job refers to rows, which say themselves whom they are about; done, it is gone")},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    type: Mapped[str] = mapped_column(info=not_personal())
    key: Mapped[str] = mapped_column(info=not_personal())
    payload: Mapped[dict[str, Any]] = mapped_column(info=not_personal())
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")


class KeptAnswer(Kernel):
    """The answer to a request that carried an `Idempotency-Key`, sealed."""

    __tablename__ = "idempotency_answers"
    __table_args__ = (
        Index(None, "expires_at"),
        {
            "info": about_nobody(
                "what was answered is sealed, found by who repeats his request alone, and gone in a day"
            )
        },
    )

    scope: Mapped[bytes] = mapped_column(primary_key=True, info=secret())
    fingerprint: Mapped[bytes] = mapped_column(info=secret())
    answer: Mapped[bytes] = mapped_column(info=secret())
    expires_at: Mapped[datetime]
