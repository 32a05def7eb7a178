"""Sign-in links that can be used once, and the sessions of browsers.

Frozen: what it makes must not change when the tables of bot/store do; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PERSON = ("platform", "team", "person")
ASKER = (*PERSON, "channel", "role", "enterprise")
PROFILE = ("locale", "tz", "mentionable")


def upgrade() -> None:
    op.create_table(
        "sign_in_link",
        sa.Column("sha256", sa.LargeBinary, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ASKER),
        *(sa.Column(name, sa.Text, nullable=True) for name in PROFILE),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "browser_session",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("old_sha256", sa.LargeBinary, nullable=True, unique=True),
        sa.Column("old_until", sa.BigInteger, nullable=True),
        *(sa.Column(name, sa.Text, nullable=True) for name in (*ASKER, *PROFILE)),
        sa.Column("key_id", sa.Integer, sa.ForeignKey("api_key.id"), nullable=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("expires_at", "used_at", "rotated_at")),
        sqlite_autoincrement=True,
    )
    for table in ("sign_in_link", "browser_session"):
        op.create_index(f"{table}_person", table, list(PERSON))
        op.create_index(f"{table}_expires_at", table, ["expires_at"])
    op.create_index("browser_session_key", "browser_session", ["key_id"])
