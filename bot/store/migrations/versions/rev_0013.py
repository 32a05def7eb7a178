"""The advice that came with a forecast and what it brought; reports on how forecasts fared, one row a kind.

Frozen: what it makes must not change when the tables of bot/store do; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("forecast", sa.Column("advice", sa.Text, nullable=True))
    op.add_column("forecast", sa.Column("saved", sa.Float, nullable=True))
    op.add_column("forecast", sa.Column("best", sa.Float, nullable=True))
    op.create_table(
        "accuracy_report",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
