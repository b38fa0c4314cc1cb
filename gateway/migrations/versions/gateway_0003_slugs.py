"""Whose a slug is, asked before the tenant is known."""

import sqlalchemy as sa
from alembic import op

revision = "gateway_0003"
down_revision = "gateway_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenant_slugs",
        sa.Column("slug", sa.Text, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
    )
    # The rows are guarded even from the tables' owner, who works for all tenants here.
    op.execute("ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY")
    op.execute("INSERT INTO tenant_slugs (slug, tenant_id) SELECT slug, id FROM tenants")
    op.execute("ALTER TABLE tenants FORCE ROW LEVEL SECURITY")
