"""How much disk a slice on offer has.

Frozen: what it makes must not change when bot/store/tables.py does; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("slice", sa.Column("disk_gb", sa.BigInteger, nullable=True))
