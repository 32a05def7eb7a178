"""Shadow tenants who look less often or bid otherwise: sums by the day, and their tenants.

Frozen: what it makes must not change when the tables of bot/store do; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "variant_day",
        sa.Column("gpu_id", sa.SmallInteger, sa.ForeignKey("gpu.id"), primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("variant", sa.SmallInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("held_s", "interrupted_s")),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("up_steps", "down_steps", "outbid", "taken_or_down", "absent", "resumed")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lane",
        sa.Column("gpu_id", sa.SmallInteger, sa.ForeignKey("gpu.id"), primary_key=True, autoincrement=False),
        sa.Column("variant", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("phase", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("tenants", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
