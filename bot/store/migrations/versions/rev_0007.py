"""What probes cost on a day, and when each part of the market was last probed.

Frozen: what it makes must not change when the tables of bot/store do; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "probe_day",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("requests", "rows", "share")),
    )
    op.create_table(
        "probe",
        sa.Column("gpu_id", sa.SmallInteger, sa.ForeignKey("gpu.id"), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("num_gpus", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("turn_s", sa.Integer, nullable=True),
        sqlite_with_rowid=False,
    )
