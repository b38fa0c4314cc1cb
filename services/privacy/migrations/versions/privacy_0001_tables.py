"""Tenants, subjects and access grants."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import tenant_policy

revision = "privacy_0001"
down_revision = None
branch_labels = ("privacy",)
depends_on = "kernel_0001"


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("legal_regime", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "subjects",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("known_since", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_subjects_tenant_id_id", "subjects", ["tenant_id", "id"])
    op.create_table(
        "access_grants",
        sa.Column("api_key_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("scopes", pg.ARRAY(sa.Text), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_access_grants_tenant_id_api_key_id", "access_grants", ["tenant_id", "api_key_id"])
    for table in ("tenants", "subjects", "access_grants"):
        for statement in tenant_policy(table):
            op.execute(statement)
