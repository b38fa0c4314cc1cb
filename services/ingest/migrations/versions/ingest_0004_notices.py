"""Notices are sent outside of any conversation."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0004"
down_revision = "ingest_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("sends", "conversation_id", nullable=True)
    op.add_column("sends", sa.Column("text_digest", sa.LargeBinary))
    op.create_index(
        "ix_sends_notices_on_their_way",
        "sends",
        ["tenant_id", "channel_id", "text_digest"],
        postgresql_where=sa.text("conversation_id IS NULL AND state IN ('queued', 'unknown')"),
    )
