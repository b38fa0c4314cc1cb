"""Tenants, queues, agents, offers, business hours and automatic replies; cases with their queue and their agent."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import tenant_policy

revision = "routing_0002"
down_revision = "routing_0001"
branch_labels = None
depends_on = None

# Whoever writes it, and whatever he locked: an agent is given nothing beyond his capacity. A capacity that is lowered
# below the load takes nothing away, so that a constraint on the row as it stands would say too much.
_NEVER_BEYOND_CAPACITY = """
CREATE FUNCTION keep_within_capacity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.load > NEW.capacity THEN
    RAISE EXCEPTION 'an agent would be given more than his capacity' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
"""
_TRIGGER = """
CREATE TRIGGER within_capacity BEFORE UPDATE OF load ON agents
FOR EACH ROW WHEN (NEW.load > OLD.load) EXECUTE FUNCTION keep_within_capacity()
"""


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _moment(name: str, *, null: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _id(name: str, *, null: bool = False) -> sa.Column[UUID]:
    return sa.Column(name, sa.Uuid, nullable=null)


def _key(name: str) -> sa.Column[UUID]:
    return sa.Column(name, sa.Uuid, primary_key=True)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _ids(name: str) -> sa.Column[list[UUID]]:
    return sa.Column(name, pg.ARRAY(sa.Uuid), nullable=False)


def upgrade() -> None:
    _add_staff()
    _replace_cases()
    _add_offers()
    _add_hours()
    for table in ("tenants", "queues", "agents", "cases", "offers", "refusals", "business_hours", "auto_replies"):
        for statement in tenant_policy(table):
            op.execute(statement)


def _add_staff() -> None:
    op.create_table(
        "tenants",
        _key("tenant_id"),
        _text("name"),
        _text("country"),
        _text("time_zone"),
        _text("locale"),
        _number("version"),
    )
    op.create_table(
        "queues",
        _key("id"),
        _id("tenant_id"),
        _text("name"),
        _ids("channel_ids"),
        _number("priority"),
        _number("version"),
        _moment("created_at"),
        _moment("updated_at"),
    )
    op.create_index("ix_queues_tenant_id_id", "queues", ["tenant_id", "id"])
    op.create_table(
        "agents",
        _key("id"),
        _id("tenant_id"),
        _flag("serves"),
        _text("status"),
        _number("capacity"),
        _number("load"),
        _flag("auto_accept"),
        sa.Column("skills", pg.ARRAY(sa.Text), nullable=False),
        _ids("queue_ids"),
        _number("user_version"),
        _number("version"),
        _moment("created_at"),
        _moment("updated_at"),
        sa.CheckConstraint("load >= 0", name=op.f("ck_agents_load_is_not_negative")),
    )
    op.create_index("ix_agents_tenant_id_id", "agents", ["tenant_id", "id"])
    op.create_index(
        "ix_agents_online", "agents", ["tenant_id"], postgresql_where=sa.text("status = 'online' AND serves")
    )
    op.execute(_NEVER_BEYOND_CAPACITY)
    op.execute(_TRIGGER)


def _replace_cases() -> None:
    # The cases that were kept before do not say whose they are, and nobody could be given them: they begin anew with
    # the next thing that is heard of each.
    op.drop_table("cases")
    op.create_table(
        "cases",
        _key("conversation_id"),
        _id("tenant_id"),
        _id("contact_id"),
        _id("channel_id"),
        _text("channel_kind"),
        _number("weight"),
        _moment("told_at"),
        _text("status"),
        _moment("waiting_since", null=True),
        _id("queue_id", null=True),
        _moment("queued_at", null=True),
        _id("agent_id", null=True),
        _moment("assigned_at", null=True),
        _id("last_agent_id", null=True),
        _id("offer_id", null=True),
        _id("offered_to", null=True),
        _moment("closed_at", null=True),
        _moment("greeted_at", null=True),
        _moment("away_told_at", null=True),
        sa.CheckConstraint(
            "status <> 'open' OR agent_id IS NOT NULL OR (queue_id IS NOT NULL AND queued_at IS NOT NULL)",
            name=op.f("ck_cases_who_is_not_answered_waits"),
        ),
        sa.CheckConstraint(
            "(offer_id IS NULL) = (offered_to IS NULL)", name=op.f("ck_cases_an_offer_is_made_to_somebody")
        ),
    )
    op.create_index(
        "ix_cases_waiting",
        "cases",
        ["tenant_id", "waiting_since"],
        postgresql_where=sa.text("waiting_since IS NOT NULL AND status <> 'snoozed'"),
    )
    op.create_index(
        "ix_cases_in_line",
        "cases",
        ["tenant_id", "queue_id", "queued_at", "conversation_id"],
        postgresql_where=sa.text("status = 'open' AND agent_id IS NULL"),
    )
    op.create_index(
        "ix_cases_tenant_id_agent_id",
        "cases",
        ["tenant_id", "agent_id"],
        postgresql_where=sa.text("agent_id IS NOT NULL"),
    )
    op.create_index(
        "ix_cases_answered",
        "cases",
        ["tenant_id", "queue_id", "closed_at"],
        postgresql_where=sa.text("closed_at IS NOT NULL AND assigned_at IS NOT NULL"),
    )


def _add_offers() -> None:
    op.create_table(
        "offers",
        _key("id"),
        _id("tenant_id"),
        _id("conversation_id"),
        _id("agent_id"),
        _text("state"),
        _moment("offered_at"),
        _moment("expires_at"),
        _moment("ended_at", null=True),
    )
    op.create_index(
        "ix_offers_one_open", "offers", ["conversation_id"], unique=True, postgresql_where=sa.text("state = 'open'")
    )
    op.create_index(
        "ix_offers_open", "offers", ["tenant_id", "agent_id", "id"], postgresql_where=sa.text("state = 'open'")
    )
    op.create_table("refusals", _key("conversation_id"), _key("agent_id"), _id("tenant_id"), _flag("missed"))


def _add_hours() -> None:
    op.create_table(
        "business_hours",
        _key("id"),
        _id("tenant_id"),
        _id("queue_id", null=True),
        sa.Column("week", pg.JSONB, nullable=False),
        sa.Column("exceptions", pg.JSONB, nullable=False),
        _flag("holidays"),
        _number("version"),
        _moment("updated_at"),
    )
    op.create_index(
        "ix_business_hours_tenant_id_queue_id",
        "business_hours",
        ["tenant_id", "queue_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "auto_replies",
        _key("tenant_id"),
        _flag("greeting"),
        _flag("out_of_hours"),
        _text("tone"),
        _number("version"),
        _moment("updated_at"),
    )
