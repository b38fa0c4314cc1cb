"""The audit chain, who handed over what, and packages with their parts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import tenant_policy

revision = "privacy_0003"
down_revision = "privacy_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("request_id", sa.Uuid),
        sa.Column("subject_id", sa.Uuid),
        sa.Column("details", pg.JSONB, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_audit_entries_tenant_id_request_id_seq", "audit_entries", ["tenant_id", "request_id", "seq"])
    op.create_index("ix_audit_entries_tenant_id_subject_id_seq", "audit_entries", ["tenant_id", "subject_id", "seq"])
    # What is written down stays as it is, even for the role that owns the table.
    op.execute("""
        CREATE FUNCTION keep_audit_entries() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'audit entries are neither changed nor removed'; END $$
    """)
    for occasion, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        op.execute(f"""
            CREATE TRIGGER {each.lower()}s_stay BEFORE {occasion} ON audit_entries
            FOR EACH {each} EXECUTE FUNCTION keep_audit_entries()
        """)
    op.create_table(
        "audit_seals",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "packages",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("sealed_key", sa.LargeBinary, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("link_digest", sa.LargeBinary),
        sa.Column("link_made_by", sa.Text),
        sa.Column("link_expires_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "deposit_tasks",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("parts", sa.Integer),
        sa.Column("plain_digest", sa.LargeBinary),
        sa.Column("tables", pg.JSONB(none_as_null=True)),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("digest", sa.LargeBinary),
    )
    op.create_table(
        "deposit_parts",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("table_name", sa.Text, nullable=False),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("plain_digest", sa.LargeBinary, nullable=False),
    )
    # Sealed bytes do not get any smaller.
    op.execute("ALTER TABLE deposit_parts ALTER COLUMN sealed SET STORAGE EXTERNAL")
    for table in ("audit_entries", "audit_seals", "packages", "deposit_tasks", "deposit_parts"):
        for statement in tenant_policy(table):
            op.execute(statement)
