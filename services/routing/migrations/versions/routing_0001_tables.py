"""Cases."""

import sqlalchemy as sa
from alembic import op

from shared.db.tables import tenant_policy

revision = "routing_0001"
down_revision = None
branch_labels = ("routing",)
depends_on = "kernel_0001"


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("conversation_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("channel_kind", sa.Text, nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True)),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(
        "ix_cases_waiting",
        "cases",
        ["tenant_id", "waiting_since"],
        postgresql_where=sa.text("waiting_since IS NOT NULL AND NOT paused"),
    )
    for statement in tenant_policy("cases"):
        op.execute(statement)
