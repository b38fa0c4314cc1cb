"""Facts that nobody changes, what is measured of them, and the business hours and places of tenants as they were."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import tenant_policy

revision = "metrics_0002"
down_revision = "metrics_0001"
branch_labels = None
depends_on = None

# The service's role may only add: a mistake in its code cannot rewrite what happened. Whoever owns the table may more,
# as a migration must.
_ONLY_ADD = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END $$
"""
_TRIGGER = """
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON facts
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""

# What was heard before is measured too. The policy holds for the owner as well, who sees the rows of all tenants here.
_MEASURE_ALL = (
    "ALTER TABLE facts NO FORCE ROW LEVEL SECURITY",
    """
    INSERT INTO measured_conversations (tenant_id, conversation_id, marks, facts, due_at)
    SELECT tenant_id, conversation_id, 1, count(*), now() FROM facts GROUP BY tenant_id, conversation_id
    """,
    "ALTER TABLE facts FORCE ROW LEVEL SECURITY",
)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _id(name: str, *, null: bool = False) -> sa.Column[UUID]:
    return sa.Column(name, sa.Uuid, nullable=null)


def _key(name: str) -> sa.Column[UUID]:
    return sa.Column(name, sa.Uuid, primary_key=True)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def upgrade() -> None:
    _keep_what_tenants_were()
    _widen_facts()
    _add_measures()
    for table in ("business_hours", "measures"):
        for statement in tenant_policy(table):
            op.execute(statement)
    for statement in (*_MEASURE_ALL, _ONLY_ADD, _TRIGGER):
        op.execute(statement)


def _keep_what_tenants_were() -> None:
    op.drop_constraint("tenants_pkey", "tenants", type_="primary")
    op.create_primary_key("tenants_pkey", "tenants", ["tenant_id", "version"])
    op.add_column("tenants", _text("country", null=True))
    op.add_column("tenants", _moment("changed_at", null=True))
    op.create_table(
        "business_hours",
        _key("event_id"),
        _id("tenant_id"),
        _id("queue_id", null=True),
        _number("version"),
        sa.Column("week", pg.JSONB, nullable=True),
        sa.Column("exceptions", pg.JSONB, nullable=False),
        sa.Column("holidays", sa.Boolean, nullable=False),
        _moment("changed_at"),
    )
    op.create_index("ix_business_hours_tenant_id_changed_at", "business_hours", ["tenant_id", "changed_at"])


def _widen_facts() -> None:
    op.add_column("facts", _id("queue_id", null=True))
    op.add_column("facts", _id("agent_id", null=True))
    op.add_column("facts", sa.Column("labels", pg.JSONB, nullable=True))
    op.add_column("facts", _text("status", null=True))
    op.alter_column("facts", "channel_kind", nullable=True)
    op.create_index("ix_facts_tenant_id_conversation_id", "facts", ["tenant_id", "conversation_id"])
    op.create_index(
        "ix_facts_tenant_id_agent_id_event_id",
        "facts",
        ["tenant_id", "agent_id", "event_id"],
        postgresql_where=sa.text("agent_id IS NOT NULL"),
    )


def _add_measures() -> None:
    op.create_table(
        "measures",
        _key("fact_id"),
        sa.Column("metric", sa.Text, primary_key=True),
        _id("tenant_id"),
        _id("conversation_id"),
        _number("cycle"),
        _moment("began_at"),
        _moment("ended_at", null=True),
        sa.Column("business_seconds", sa.Float, nullable=True),
        _id("channel_id"),
        _id("queue_id", null=True),
        _id("agent_id", null=True),
        sa.Column("labels", pg.JSONB, nullable=False),
    )
    op.create_index("ix_measures_tenant_id_metric_ended_at", "measures", ["tenant_id", "metric", "ended_at"])
    op.create_index("ix_measures_tenant_id_metric_began_at", "measures", ["tenant_id", "metric", "began_at"])
    op.create_index("ix_measures_tenant_id_conversation_id", "measures", ["tenant_id", "conversation_id"])
    op.create_index(
        "ix_measures_tenant_id_agent_id_fact_id",
        "measures",
        ["tenant_id", "agent_id", "fact_id"],
        postgresql_where=sa.text("agent_id IS NOT NULL"),
    )
    op.create_table(
        "measured_conversations",
        _key("tenant_id"),
        _key("conversation_id"),
        _number("marks"),
        _number("facts"),
        _moment("due_at", null=True),
    )
    op.create_index(
        "ix_measured_conversations_due",
        "measured_conversations",
        ["due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
