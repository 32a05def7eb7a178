"""Endpoints of webhooks, the log of attempts, and the prices they were told of last.

Frozen: what it makes must not change when the tables of bot/store do; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("public_id", sa.Text, nullable=False, unique=True),
        *_texts("platform", "enterprise", "team", "person", "channel"),
        sa.Column("destination_id", sa.Integer, sa.ForeignKey("destination.id"), nullable=False),
        *_texts("host"),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        *_texts("state", "events", "gpus"),
        sa.Column("min_change_ppm", sa.Integer, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("created_at", "changed_at")),
        *(sa.Column(name, sa.BigInteger, nullable=True) for name in ("failing_since", "deleted_at")),
        sa.Column("disabled_reason", sa.Text, nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("webhook_team", "webhook", ["platform", "team"])
    op.create_table(
        "webhook_attempt",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("webhook_id", sa.Integer, sa.ForeignKey("webhook.id"), nullable=False),
        *_texts("message", "event"),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("milliseconds", sa.Integer, nullable=False),
        sa.Column("status", sa.Integer, nullable=True),
        *_texts("error", "excerpt"),
        sqlite_autoincrement=True,
    )
    op.create_index("webhook_attempt_log", "webhook_attempt", ["webhook_id", "id"])
    op.create_index("webhook_attempt_at", "webhook_attempt", ["at"])
    op.create_table(
        "webhook_price",
        sa.Column("webhook_id", sa.Integer, sa.ForeignKey("webhook.id"), primary_key=True, autoincrement=False),
        sa.Column("gpu_id", sa.SmallInteger, sa.ForeignKey("gpu.id"), primary_key=True, autoincrement=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
