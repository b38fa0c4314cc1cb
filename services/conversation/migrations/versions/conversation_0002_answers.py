"""What is sent from here and what became of it, echoes that wait, and who answers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import tenant_policy

revision = "conversation_0002"
down_revision = "conversation_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversations", sa.Column("routed_at", sa.DateTime(timezone=True)))
    op.add_column("conversations", sa.Column("answer_to", pg.JSONB))
    for name in ("author_kind", "author_id", "status", "error_code", "error_title"):
        op.add_column("messages", sa.Column(name, sa.Text))
    op.add_column("messages", sa.Column("status_at", sa.DateTime(timezone=True)))
    op.add_column("messages", sa.Column("attempt", sa.Integer))
    op.add_column("messages", sa.Column("same_as", sa.Uuid))
    op.create_table(
        "held_echoes",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("headers", pg.JSONB, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("personal", sa.LargeBinary, nullable=False),
    )
    for statement in tenant_policy("held_echoes"):
        op.execute(statement)
