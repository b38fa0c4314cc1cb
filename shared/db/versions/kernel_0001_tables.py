"""The kernel's tables: outbox, inbox, jobs, dead letters and kept answers."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import tenant_policy

revision = "kernel_0001"
down_revision = None
branch_labels = ("kernel",)
depends_on = None


def _letter() -> list[sa.Column[Any]]:
    return [
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("headers", pg.JSONB, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("personal", sa.LargeBinary),
    ]


def _moment(name: str, *, null: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        *_letter(),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    # Rows live for milliseconds: without frequent vacuum each look at the oldest ones would wade through the dead.
    op.execute(
        "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,"
        " autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0)"
    )
    op.create_table(
        "outbox_kept",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        *_letter(),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        _moment("created_at"),
    )
    op.create_table("inbox", sa.Column("event_id", sa.Uuid, primary_key=True))
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Uuid, primary_key=True),
        *_letter(),
        sa.Column("tenant_id", sa.Uuid),
        sa.Column("event_id", sa.Uuid),
        sa.Column("type", sa.Text),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        _moment("died_at"),
    )
    op.create_index("ix_dead_letters_tenant_id_id", "dead_letters", ["tenant_id", "id"])
    for statement in tenant_policy("dead_letters", ownerless=True):
        op.execute(statement)
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("payload", pg.JSONB, nullable=False),
        _moment("due_at"),
        _moment("lease_until", null=True),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("ix_jobs_due_at", "jobs", ["due_at"])
    op.create_index("ix_jobs_key_id", "jobs", ["key", "id"])
    op.create_table(
        "idempotency_answers",
        sa.Column("scope", sa.LargeBinary, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        _moment("expires_at"),
    )
    op.create_index("ix_idempotency_answers_expires_at", "idempotency_answers", ["expires_at"])
