"""Everything that the first version stores.

Frozen: what it makes must not change when bot/store/tables.py does; write a new revision for that.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PRICES = ("price", "floor", "p10", "p90", "on_demand")


def upgrade() -> None:
    _people_and_names()
    _rounds()
    _hours()
    _present()
    _events()
    _forecasts()


def _table(name: str, *columns: Any, rowid: bool = True) -> None:
    op.create_table(name, *columns, sqlite_with_rowid=rowid)


def _key(name: str, kind: Any = sa.SmallInteger) -> Any:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _gpu(*, key: bool = True) -> Any:
    ref = sa.ForeignKey("gpu.id")
    return sa.Column("gpu_id", sa.SmallInteger, ref, primary_key=key, nullable=False, autoincrement=False)


def _region(*, key: bool = True) -> Any:
    ref = sa.ForeignKey("region.id")
    return sa.Column("region_id", sa.SmallInteger, ref, primary_key=key, nullable=False, autoincrement=False)


def _all(kind: Any, *names: str, nullable: bool = False) -> list[Any]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _maybe(kind: Any, *names: str) -> list[Any]:
    return _all(kind, *names, nullable=True)


def _people_and_names() -> None:
    _table(
        "gpu",
        _key("id", sa.Integer),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        *_all(sa.Text, "vast_name"),
        *_maybe(sa.Integer, "vram_gb"),
        *_all(sa.Boolean, "followed"),
        *_all(sa.Integer, "interval_s"),
        *_maybe(sa.BigInteger, "last_poll_at"),
        *_maybe(sa.SmallInteger, "last_quality"),
        *_maybe(sa.BigInteger, "last_good_at"),
        *_maybe(sa.Integer, "first_hour", "last_rows"),
        *_maybe(sa.BigInteger, "asked_at"),
        *_all(sa.Integer, "offers"),
    )
    _table("region", _key("id", sa.Integer), sa.Column("name", sa.Text, nullable=False, unique=True))
    op.execute("INSERT INTO region (id, name) VALUES (0, '')")
    _table(
        "api_key",
        sa.Column("id", sa.Integer, primary_key=True),
        *_all(sa.Text, "prefix"),
        sa.Column("sha256", sa.LargeBinary, nullable=False, unique=True),
        *_all(sa.Text, "label", "scopes"),
        *_all(sa.Integer, "per_minute"),
        *_all(sa.BigInteger, "created_at"),
        *_maybe(sa.BigInteger, "revoked_at", "last_used_at"),
    )
    _table("lease", _key("id"), *_all(sa.BigInteger, "epoch"))
    op.execute("INSERT INTO lease (id, epoch) VALUES (1, 0)")


def _rounds() -> None:
    _table("round", _key("at", sa.BigInteger), *_all(sa.Text, "source"), *_all(sa.Integer, "polls"))
    _table(
        "poll",
        _gpu(),
        _key("at", sa.BigInteger),
        *_all(sa.SmallInteger, "quality"),
        *_all(sa.Integer, "offers", "rows", "requests"),
        *_maybe(sa.Text, "dropped", "note"),
        rowid=False,
    )
    _table(
        "quote",
        _gpu(),
        _key("at", sa.BigInteger),
        _region(),
        _key("scope"),
        *_maybe(sa.BigInteger, *PRICES),
        *_all(sa.Integer, "offers", "gpus", "machines"),
        rowid=False,
    )
    _table("quota", _key("day", sa.Integer), *_all(sa.Integer, "rows"), *_maybe(sa.Integer, "learned_limit"))


def _hours() -> None:
    _table(
        "price_hour",
        _gpu(),
        _key("hour", sa.Integer),
        _region(),
        _key("scope"),
        *_maybe(sa.BigInteger, *PRICES),
        *_all(sa.Integer, "offers", "gpus", "polls"),
        rowid=False,
    )
    for time in ("hour", "day"):
        _table(
            f"exposure_{time}",
            _gpu(),
            _key(time, sa.Integer),
            _region(),
            *_all(sa.BigInteger, "held_s", "interrupted_s"),
            *_all(sa.Integer, "up_steps", "down_steps", "outbid", "taken_or_down", "absent", "resumed"),
            rowid=False,
        )
    _table(
        "life_day",
        _gpu(),
        _key("day", sa.Integer),
        _key("bin"),
        *_all(sa.BigInteger, "at_risk_s"),
        *_all(sa.Integer, "events"),
        rowid=False,
    )


def _present() -> None:
    _table(
        "slice",
        _gpu(),
        _key("n", sa.Integer),
        *_all(sa.BigInteger, "machine_id"),
        *_all(sa.Integer, "num_gpus"),
        *_all(sa.BigInteger, "on_demand"),
        *_maybe(sa.BigInteger, "min_bid"),
        *_all(sa.Boolean, "verified"),
        *_all(sa.Text, "gpu_ids"),
        *_maybe(sa.Text, "geolocation"),
        _region(key=False),
        *_maybe(sa.Float, "reliability"),
        *_maybe(sa.BigInteger, "host_id", "offer_id", "gpu_ram_mb", "end_date"),
        *_all(sa.Boolean, "datacenter"),
        *_maybe(sa.BigInteger, "storage_cost", "egress_cost"),
        rowid=False,
    )
    _table(
        "tenant",
        _gpu(),
        _key("slice_id", sa.Text),
        _region(key=False),
        *_all(sa.BigInteger, "machine_id"),
        *_all(sa.Integer, "num_gpus"),
        *_all(sa.BigInteger, "bid", "since"),
        *_all(sa.Boolean, "verified"),
        *_maybe(sa.BigInteger, "host_id", "end_date", "down_since"),
        *_maybe(sa.SmallInteger, "cause"),
        rowid=False,
    )
    _table(
        "band",
        _gpu(),
        *_all(sa.Float, "low", "high"),
        *_all(sa.Integer, "n"),
        *_all(sa.BigInteger, "at"),
        rowid=False,
    )


def _events() -> None:
    _table(
        "interruption",
        sa.Column("id", sa.Integer, primary_key=True),
        _gpu(key=False),
        _region(key=False),
        *_all(sa.Text, "slice_id"),
        *_all(sa.BigInteger, "machine_id"),
        *_maybe(sa.BigInteger, "host_id"),
        *_all(sa.Integer, "num_gpus"),
        *_all(sa.SmallInteger, "cause"),
        *_all(sa.BigInteger, "bid", "held_at", "seen_at"),
        *_maybe(sa.BigInteger, "back_at"),
        sa.UniqueConstraint("gpu_id", "slice_id", "held_at"),
    )
    op.create_index("interruption_by_time", "interruption", ["gpu_id", "seen_at"])


def _forecasts() -> None:
    _table(
        "forecast",
        _gpu(),
        _key("issued_at", sa.BigInteger),
        _key("horizon_h"),
        *_all(sa.BigInteger, "target_at", "y_last", "price"),
        *_maybe(sa.BigInteger, "lo80", "hi80"),
        *_maybe(sa.Float, "confidence"),
        *_all(sa.Text, "regime", "source"),
        *_maybe(sa.BigInteger, "actual", "scored_at"),
        rowid=False,
    )
    _table("track_record", _gpu(), *_all(sa.Text, "payload"), rowid=False)
