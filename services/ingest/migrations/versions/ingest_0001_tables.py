"""Channels, raw events and delivery statuses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import tenant_policy

revision = "ingest_0001"
down_revision = None
branch_labels = ("ingest",)
depends_on = "kernel_0001"


def upgrade() -> None:
    op.create_table(
        "channels",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("settings", pg.JSONB, nullable=False),
        sa.Column("credentials", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_channels_tenant_id_kind_account", "channels", ["tenant_id", "kind", "account"], unique=True)
    op.create_table(
        "channel_tenants",
        sa.Column("channel_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
    )
    op.create_table(
        "raw_events",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("channel_id", sa.Uuid, nullable=False),
        sa.Column("dedup_key", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("account", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(
        "ix_raw_events_tenant_id_channel_id_dedup_key",
        "raw_events",
        ["tenant_id", "channel_id", "dedup_key"],
        unique=True,
    )
    op.create_index("ix_raw_events_tenant_id_state_id", "raw_events", ["tenant_id", "state", "id"])
    op.create_table(
        "delivery_statuses",
        sa.Column("raw_event_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("channel_id", sa.Uuid, nullable=False),
        sa.Column("provider_message_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error_code", sa.Integer),
        sa.Column("error_title", sa.Text),
        sa.Column("callback_data", sa.Text),
    )
    op.create_index(
        "ix_delivery_statuses_tenant_id_channel_id_provider_message_id",
        "delivery_statuses",
        ["tenant_id", "channel_id", "provider_message_id"],
    )
    for table in ("channels", "raw_events", "delivery_statuses"):
        for statement in tenant_policy(table):
            op.execute(statement)
