"""Cases and offers are found by whom they are about."""

import sqlalchemy as sa
from alembic import op

revision = "routing_0004"
down_revision = "routing_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_cases_tenant_id_contact_id", "cases", ["tenant_id", "contact_id"])
    op.create_index(
        "ix_cases_tenant_id_last_agent_id",
        "cases",
        ["tenant_id", "last_agent_id"],
        postgresql_where=sa.text("last_agent_id IS NOT NULL"),
    )
    for column in ("conversation_id", "agent_id"):
        op.create_index(f"ix_offers_tenant_id_{column}", "offers", ["tenant_id", column])
