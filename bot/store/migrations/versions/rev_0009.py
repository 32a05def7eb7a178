"""A workspace of Slack is known by its team alone: the organisation that it may join or leave is no part of its name.

Frozen: what it makes must not change when the tables of bot/store do; write a new revision for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    conn = op.get_bind()
    _join_destinations(conn)
    _keep_newest_installations(conn)
    for table in ("installation", "destination", "alert", "webhook", "api_key"):
        conn.execute(sa.text(f"UPDATE {table} SET enterprise = '' WHERE platform = 'slack' AND enterprise <> ''"))  # noqa: S608  names of ours


def _join_destinations(conn: sa.Connection) -> None:
    """One destination of those that differ by the organisation alone, one that still takes messages if there is one."""
    query = "SELECT id, team, channel, person FROM destination WHERE platform = 'slack' "
    query += "ORDER BY CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END, id"
    kept: dict[tuple[str, str, str], int] = {}
    for id_, *address in conn.execute(sa.text(query)).all():
        into = kept.setdefault((address[0], address[1], address[2]), id_)
        if into == id_:
            continue
        for table in ("alert", "message", "webhook"):
            moved = f"UPDATE {table} SET destination_id = :into WHERE destination_id = :id"  # noqa: S608  names of ours
            conn.execute(sa.text(moved), {"into": into, "id": id_})
        conn.execute(sa.text("DELETE FROM destination WHERE id = :id"), {"id": id_})


def _keep_newest_installations(conn: sa.Connection) -> None:
    query = (
        "SELECT enterprise, team FROM installation WHERE platform = 'slack' ORDER BY installed_at DESC, enterprise DESC"
    )
    seen: set[str] = set()
    for enterprise, team in conn.execute(sa.text(query)).all():
        if team in seen:
            older = "DELETE FROM installation WHERE platform = 'slack' AND team = :team AND enterprise = :enterprise"
            conn.execute(sa.text(older), {"team": team, "enterprise": enterprise})
        seen.add(team)
