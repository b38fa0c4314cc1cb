"""Hours that were forgotten keep their row, and with it the count of their versions."""

from alembic import op

revision = "routing_0003"
down_revision = "routing_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("business_hours", "week", nullable=True)
