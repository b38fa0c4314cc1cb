"""Tenants and facts."""

import sqlalchemy as sa
from alembic import op

from shared.db.tables import tenant_policy

revision = "metrics_0001"
down_revision = None
branch_labels = ("metrics",)
depends_on = "kernel_0001"


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "facts",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("channel_id", sa.Uuid, nullable=False),
        sa.Column("channel_kind", sa.Text, nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_facts_tenant_id_kind_happened_at", "facts", ["tenant_id", "kind", "happened_at"])
    for table in ("tenants", "facts"):
        for statement in tenant_policy(table):
            op.execute(statement)
