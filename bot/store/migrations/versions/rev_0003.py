"""Who leads: the writer's lease, which it renews.

A table of its own: a renewal must not wait for a long writing transaction, which locks the one row of ``lease``.
Frozen: what it makes must not change when bot/store/tables.py does; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leader",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.Text, nullable=True),
        sa.Column("since", sa.BigInteger, nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.execute("INSERT INTO leader (id, epoch) VALUES (1, 0)")
