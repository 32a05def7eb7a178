"""Fitted profiles of the week, one row a model.

Frozen: what it makes must not change when the tables of bot/store do; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hazard_profile",
        sa.Column("gpu_id", sa.SmallInteger, sa.ForeignKey("gpu.id"), primary_key=True, autoincrement=False),
        sa.Column("fitted_at", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
