"""Contacts, conversations, messages, reactions, parked changes and notes."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import tenant_policy

revision = "conversation_0001"
down_revision = None
branch_labels = ("conversation",)
depends_on = "kernel_0001"


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _id(name: str, references: str | None = None) -> sa.Column[UUID]:
    return sa.Column(name, sa.Uuid, *([sa.ForeignKey(references)] if references else []), nullable=False)


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        _text("name", null=True),
        sa.Column("attributes", pg.JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
    )
    op.create_index("ix_contacts_tenant_id_id", "contacts", ["tenant_id", "id"])
    op.create_table(
        "contact_addresses",
        sa.Column("id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        _id("contact_id", "contacts.id"),
        _id("channel_id"),
        _text("kind"),
        _text("value"),
        _moment("created_at"),
    )
    op.create_index(
        "ix_contact_addresses_tenant_id_channel_id_kind_value",
        "contact_addresses",
        ["tenant_id", "channel_id", "kind", "value"],
        unique=True,
    )
    op.create_index("ix_contact_addresses_tenant_id_contact_id", "contact_addresses", ["tenant_id", "contact_id"])
    op.create_table(
        "conversations",
        sa.Column("id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        _id("contact_id", "contacts.id"),
        _id("channel_id"),
        _text("channel_kind"),
        _text("status"),
        _text("subject", null=True),
        _text("priority"),
        sa.Column("labels", pg.ARRAY(sa.Text), nullable=False),
        sa.Column("attributes", pg.JSONB, nullable=False),
        sa.Column("queue_id", sa.Uuid),
        sa.Column("assignee_id", sa.Uuid),
        sa.Column("last_seq", sa.Integer, nullable=False),
        _moment("last_message_at", null=True),
        _moment("snoozed_until", null=True),
        _moment("resolved_at", null=True),
        sa.Column("version", sa.Integer, nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
    )
    op.create_index(
        "ix_conversations_one_open",
        "conversations",
        ["tenant_id", "contact_id", "channel_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_index(
        "ix_conversations_last_resolved", "conversations", ["tenant_id", "contact_id", "channel_id", "resolved_at"]
    )
    op.create_index("ix_conversations_tenant_id_id", "conversations", ["tenant_id", "id"])
    for column in ("queue_id", "assignee_id"):
        op.create_index(
            f"ix_conversations_tenant_id_{column}_id",
            "conversations",
            ["tenant_id", column, "id"],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_index("ix_conversations_labels", "conversations", ["labels"], postgresql_using="gin")
    op.create_index("ix_conversations_tenant_id_updated_at_id", "conversations", ["tenant_id", "updated_at", "id"])
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        _id("conversation_id", "conversations.id"),
        _id("channel_id"),
        sa.Column("seq", sa.Integer, nullable=False),
        _text("direction"),
        _text("content_type"),
        _text("text", null=True),
        sa.Column("content", pg.JSONB, nullable=False),
        _text("provider_message_id", null=True),
        _text("reply_to", null=True),
        _moment("sent_at"),
        _moment("received_at"),
        _moment("edited_at", null=True),
        _moment("revoked_at", null=True),
    )
    op.create_index(
        "ix_messages_tenant_id_conversation_id_seq", "messages", ["tenant_id", "conversation_id", "seq"], unique=True
    )
    op.create_index(
        "ix_messages_tenant_id_conversation_id_sent_at_seq",
        "messages",
        ["tenant_id", "conversation_id", "sent_at", "seq"],
    )
    op.create_index(
        "ix_messages_tenant_id_channel_id_provider_message_id",
        "messages",
        ["tenant_id", "channel_id", "provider_message_id"],
        unique=True,
    )
    op.create_table(
        "reactions",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("channel_id", sa.Uuid, primary_key=True),
        sa.Column("provider_message_id", sa.Text, primary_key=True),
        sa.Column("sender_ref", sa.Text, primary_key=True),
        _text("emoji", null=True),
        _moment("reacted_at"),
    )
    op.create_table(
        "parked_changes",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("channel_id", sa.Uuid, primary_key=True),
        sa.Column("provider_message_id", sa.Text, primary_key=True),
        _moment("edited_at", null=True),
        _moment("revoked_at", null=True),
        _text("content_type", null=True),
        _text("text", null=True),
        sa.Column("content", pg.JSONB),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        _id("conversation_id", "conversations.id"),
        _text("author_id"),
        _text("text"),
        _moment("created_at"),
    )
    op.create_index("ix_notes_tenant_id_conversation_id_id", "notes", ["tenant_id", "conversation_id", "id"])
    for table in (
        "contacts",
        "contact_addresses",
        "conversations",
        "messages",
        "reactions",
        "parked_changes",
        "notes",
    ):
        for statement in tenant_policy(table):
            op.execute(statement)
