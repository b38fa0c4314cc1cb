"""Requests with their codes, the addresses of data subjects, and how a tenant is called and speaks."""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import tenant_policy

revision = "privacy_0002"
down_revision = "privacy_0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_TEXTS = pg.ARRAY(sa.Text)


def _id(name: str, *, null: bool = False) -> sa.Column[sa.Uuid]:
    return sa.Column(name, sa.Uuid, nullable=null)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, _MOMENT, nullable=null)


def upgrade() -> None:
    _add_registers()
    _add_requests()
    _add_codes()
    _add_settings()
    for table in ("subject_identifiers", "requests", "proof_codes", "privacy_settings"):
        for statement in tenant_policy(table):
            op.execute(statement)


def _add_registers() -> None:
    # Who was heard of before this is called nothing, in English, until the tenant is told of again.
    for name, until_told in (("name", ""), ("slug", ""), ("locale", "en")):
        op.add_column("tenants", sa.Column(name, sa.Text, nullable=False, server_default=until_told))
    op.add_column("subjects", sa.Column("kind", sa.Text, nullable=False, server_default="contact"))
    op.add_column("access_grants", _id("user_id", null=True))
    op.create_index(
        "ix_access_grants_tenant_id_user_id",
        "access_grants",
        ["tenant_id", "user_id"],
        postgresql_where=sa.text("user_id IS NOT NULL"),
    )
    _without_defaults("tenants", ("name", "slug", "locale"))
    _without_defaults("subjects", ("kind",))
    op.create_table(
        "subject_identifiers",
        sa.Column("id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        _id("subject_id"),
        _id("channel_id"),
        _text("channel_kind"),
        _text("kind"),
        _text("value"),
        _text("lookup_key"),
        _moment("known_since"),
    )
    op.create_index(
        "ix_subject_identifiers_one_each",
        "subject_identifiers",
        ["tenant_id", "subject_id", "channel_id", "kind", "value"],
        unique=True,
    )
    op.create_index("ix_subject_identifiers_tenant_id_lookup_key", "subject_identifiers", ["tenant_id", "lookup_key"])


def _add_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        _text("right"),
        _text("state"),
        _text("origin"),
        _id("wanted_id", null=True),
        sa.Column("identifiers", pg.JSONB, nullable=False),
        _text("contact_channel", null=True),
        sa.Column("scope", _TEXTS, nullable=False),
        _text("text", null=True),
        _text("locale", null=True),
        sa.Column("token_digest", sa.LargeBinary, nullable=False),
        _id("subject_id", null=True),
        sa.Column("subject_ids", pg.ARRAY(sa.Uuid), nullable=False),
        _id("identifier_id", null=True),
        _moment("proof_until"),
        _text("proven_by", null=True),
        _moment("proven_at", null=True),
        _moment("received_at"),
        _moment("due_at"),
        _moment("legal_latest_at"),
        _text("rule_id"),
        _text("calendar_version"),
        sa.Column("inputs", pg.JSONB, nullable=False),
        _moment("extended_at", null=True),
        _text("extension_reason", null=True),
        sa.Column("silent", _TEXTS, nullable=False),
        _text("outcome", null=True),
        _text("reason", null=True),
        _moment("changed_at"),
        _moment("answered_at", null=True),
        _moment("settled_at", null=True),
    )
    for columns in (["tenant_id", "id"], ["tenant_id", "state", "id"], ["tenant_id", "subject_id"]):
        op.create_index(f"ix_requests_{'_'.join(columns)}", "requests", columns)
    op.create_index(
        "ix_requests_tenant_id_due_at",
        "requests",
        ["tenant_id", "due_at"],
        postgresql_where=sa.text("settled_at IS NULL"),
    )


def _add_codes() -> None:
    op.create_table(
        "proof_codes",
        sa.Column("id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        _id("request_id"),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("blank", sa.Boolean, nullable=False),
        sa.Column("identifier_refs", _TEXTS, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        _moment("made_at"),
        _moment("expires_at"),
    )
    for columns in (["tenant_id", "request_id", "made_at"], ["tenant_id", "made_at"]):
        op.create_index(f"ix_proof_codes_{'_'.join(columns)}", "proof_codes", columns)


def _add_settings() -> None:
    op.create_table(
        "privacy_settings",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("small_agent", sa.Boolean, nullable=False),
        _text("controller", null=True),
        sa.Column("version", sa.Integer, nullable=False),
        _moment("updated_at"),
    )


def _without_defaults(table: str, columns: Iterable[str]) -> None:
    for column in columns:
        op.alter_column(table, column, server_default=None)
