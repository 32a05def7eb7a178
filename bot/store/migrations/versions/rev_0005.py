"""What is to be sent and where, alerts and what they measure, who did what.

Frozen: what it makes must not change when bot/store/tables.py does; write a new revision for that.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PERMITTED = "SELECT 1 FROM audit_erasure e WHERE OLD.at < e.before OR (OLD.platform = e.platform AND OLD.team = e.team)"

SQLITE = (
    "CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    f"CREATE TRIGGER audit_kept BEFORE DELETE ON audit WHEN NOT EXISTS ({PERMITTED}) "
    "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
)

POSTGRES = (
    "CREATE FUNCTION audit_refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'audit is append-only' "
    "USING ERRCODE = 'integrity_constraint_violation'; END $$ LANGUAGE plpgsql",
    "CREATE FUNCTION audit_refuse_unless_permitted() RETURNS trigger AS $$ BEGIN "
    f"IF NOT EXISTS ({PERMITTED}) THEN RAISE EXCEPTION 'audit is append-only' "
    "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN OLD; END $$ LANGUAGE plpgsql",
    "CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_kept BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse_unless_permitted()",
    "CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
)


def upgrade() -> None:
    _destination()
    _message()
    _alerts()
    _audit()
    for column in _texts("platform", "enterprise", "team", "channel", null=True):
        op.add_column("api_key", column)


def _texts(*names: str, null: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=null) for name in names]


def _times(*names: str, null: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger, nullable=null) for name in names]


def _refers(name: str, to: str, kind: Any = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind, sa.ForeignKey(to), nullable=False)


def _destination() -> None:
    op.create_table(
        "destination",
        sa.Column("id", sa.Integer, primary_key=True),
        *_texts("platform", "enterprise", "team", "channel", "person"),
        *_times("next_at", "lease_until"),
        *_texts("lease_token", null=True),
        sa.Column("refusals", sa.Integer, nullable=False),
        *_times("disabled_at", null=True),
        *_texts("disabled_reason", null=True),
        *_times("last_served_at"),
        sa.UniqueConstraint("platform", "enterprise", "team", "channel", "person", name="destination_address"),
    )
    op.create_index("destination_team", "destination", ["platform", "enterprise", "team", "last_served_at"])


def _message() -> None:
    op.create_table(
        "message",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("identity", sa.Text, nullable=False, unique=True),
        _refers("destination_id", "destination.id"),
        *_texts("topic"),
        *_times("batch", null=True),
        *_texts("kind", "payload"),
        *_texts("refers_to", null=True),
        *_texts("action"),
        *_times("created_at", "not_before", "expires_at", "due_at"),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("attempts", "ambiguities")),
        *_texts("state"),
        *_texts("send_id", null=True),
        *_times("ended_at", null=True),
        *_texts("receipt_channel", "receipt_message", "last_error", null=True),
        sqlite_autoincrement=True,
    )
    queued = sa.text("state = 'queued'")
    for name, columns in (("message_queue", ["destination_id", "seq"]), ("message_expiry", ["expires_at"])):
        op.create_index(name, "message", columns, sqlite_where=queued, postgresql_where=queued)
    op.create_index("message_topic", "message", ["topic", "seq"])
    op.create_index("message_ended", "message", ["ended_at"])


def _alerts() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        _refers("gpu_id", "gpu.id", sa.SmallInteger),
        _refers("region_id", "region.id", sa.SmallInteger),
        sa.Column("scope", sa.SmallInteger, nullable=False),
        *_texts("measure", "metric"),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("window", "level")),
        sa.UniqueConstraint(
            "gpu_id", "region_id", "scope", "measure", "metric", "window", "level", name="series_measured"
        ),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("public_id", sa.Text, nullable=False, unique=True),
        *_texts("platform", "enterprise", "team", "person"),
        _refers("destination_id", "destination.id"),
        _refers("series_id", "series.id"),
        *_texts("rule"),
        *_times("threshold"),
        *_times("wake_below", "wake_above", "due_at", "timer_at", "notice_at", null=True),
        *_texts("state", "status"),
        *_times("created_at", "changed_at"),
        *_times("deleted_at", null=True),
        *_texts("request", "request_digest", null=True),
        sqlite_autoincrement=True,
    )
    for name in ("wake_below", "wake_above", "due_at", "notice_at"):
        op.create_index(f"alert_{name}", "alert", ["series_id", name])
    op.create_index("alert_timer_at", "alert", ["timer_at"])
    op.create_index("alert_owner", "alert", ["platform", "team", "person"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        *_times("at"),
        *_texts("platform", "team", "actor", "action", "subject", "details"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_subject", "audit", ["subject", "id"])
    op.create_index("audit_team", "audit", ["platform", "team"])
    op.create_index("audit_at", "audit", ["at"])
    op.create_table(
        "audit_erasure",
        sa.Column("id", sa.Integer, primary_key=True),
        *_texts("platform", "team", null=True),
        *_times("before", null=True),
    )
    for statement in POSTGRES if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)
