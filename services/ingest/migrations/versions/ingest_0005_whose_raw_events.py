"""Raw events tell whose they are, as far as they name somebody; those that came before do not."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0005"
down_revision = "ingest_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("raw_events", sa.Column("sender_ref", sa.Text))
    op.create_index("ix_raw_events_tenant_id_sender_ref", "raw_events", ["tenant_id", "sender_ref"])
    op.create_index("ix_sends_tenant_id_contact_id", "sends", ["tenant_id", "contact_id"])
