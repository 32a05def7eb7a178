"""Dashboards and digests with when they are due; what teams set for all their members.

Frozen: what it makes must not change when the tables of bot/store do; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("public_id", sa.Text, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("platform", "enterprise", "team", "person")),
        sa.Column("destination_id", sa.Integer, sa.ForeignKey("destination.id"), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "spec")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("created_at", "changed_at")),
        *(sa.Column(name, sa.BigInteger) for name in ("due_at", "told_at", "posted_at", "deleted_at")),
        *(sa.Column(name, sa.Text) for name in ("message", "ended")),
        sqlite_autoincrement=True,
    )
    op.create_index("schedule_due", "schedule", ["due_at"])
    op.create_index("schedule_team", "schedule", ["platform", "team"])
    op.create_index("schedule_destination", "schedule", ["destination_id"])
    op.create_table(
        "team_setting",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("platform", "team", "name")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("value", "person")),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
