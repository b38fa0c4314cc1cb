"""Parked changes tell whose they are, and reactions are found by whose they are."""

import sqlalchemy as sa
from alembic import op

revision = "conversation_0003"
down_revision = "conversation_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("parked_changes", sa.Column("sender_ref", sa.Text))
    op.create_index("ix_reactions_tenant_id_sender_ref", "reactions", ["tenant_id", "sender_ref"])
