"""Who asks in chat: their wishes, and the workspaces that installed the app.

Frozen: what it makes must not change when bot/store/tables.py does; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wishes",
        sa.Column("platform", sa.Text, primary_key=True),
        sa.Column("team", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=True) for name in ("language", "tz", "home", "gpus")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "installation",
        sa.Column("platform", sa.Text, primary_key=True),
        sa.Column("enterprise", sa.Text, primary_key=True),
        sa.Column("team", sa.Text, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("installed_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
