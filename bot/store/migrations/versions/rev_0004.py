"""Interruptions in the order they are read, at half the size; until when the market's rows of a day are spent.

Frozen: what it makes must not change when bot/store/tables.py does; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Two rows of one slice at one poll would be one event counted twice: the later row tells how it ended.
COPY = """
INSERT INTO interruption
    (gpu_id, seen_at, slice_id, region_id, machine_id, host_id, num_gpus, cause, bid, held_at, back_at)
SELECT gpu_id, seen_at, slice_id, region_id, machine_id, host_id, num_gpus, cause, bid, held_at, back_at
FROM interruption_before i
WHERE NOT EXISTS (
    SELECT 1 FROM interruption_before j
    WHERE j.gpu_id = i.gpu_id AND j.seen_at = i.seen_at AND j.slice_id = i.slice_id AND j.id > i.id
)
"""


def upgrade() -> None:
    op.add_column("quota", sa.Column("spent_until", sa.BigInteger, nullable=True))
    op.rename_table("interruption", "interruption_before")
    op.create_table(
        "interruption",
        sa.Column("gpu_id", sa.SmallInteger, sa.ForeignKey("gpu.id"), primary_key=True, autoincrement=False),
        sa.Column("seen_at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("slice_id", sa.Text, primary_key=True),
        sa.Column("region_id", sa.SmallInteger, sa.ForeignKey("region.id"), nullable=False),
        sa.Column("machine_id", sa.BigInteger, nullable=False),
        sa.Column("host_id", sa.BigInteger, nullable=True),
        sa.Column("num_gpus", sa.Integer, nullable=False),
        sa.Column("cause", sa.SmallInteger, nullable=False),
        sa.Column("bid", sa.BigInteger, nullable=False),
        sa.Column("held_at", sa.BigInteger, nullable=False),
        sa.Column("back_at", sa.BigInteger, nullable=True),
        sqlite_with_rowid=False,
    )
    op.execute(COPY)
    op.drop_table("interruption_before")
