"""The sessions of web chats, and their messages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import tenant_policy

revision = "ingest_0003"
down_revision = "ingest_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_sessions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("channel_id", sa.Uuid, nullable=False),
        sa.Column("token_digest", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("email", sa.Text),
        sa.Column("pre_chat", pg.JSONB, nullable=False),
        sa.Column("locale", sa.Text),
        sa.Column("last_step", sa.Integer, nullable=False),
        sa.Column("typing_until", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("client_message_id", sa.Uuid),
        sa.Column("conversation_id", sa.Uuid),
        sa.Column("contact_id", sa.Uuid),
        sa.Column("attempt", sa.Integer),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("content", pg.JSONB, nullable=False),
        sa.Column("reply_to", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("added_step", sa.Integer, nullable=False),
        sa.Column("changed_step", sa.Integer, nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
    )
    for last, unique in (("client_message_id", True), ("added_step", True), ("changed_step", False)):
        columns = ["tenant_id", "session_id", last]
        op.create_index(f"ix_chat_messages_{'_'.join(columns)}", "chat_messages", columns, unique=unique)
    for table in ("chat_sessions", "chat_messages"):
        for statement in tenant_policy(table):
            op.execute(statement)
