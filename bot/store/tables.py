"""The tables. Money is integer micro-dollars, time integer UTC seconds, hours and days ``// 3600``, ``// 86400``.

The big ones lead with (gpu_id, time) and have no row ids: the last day of one model is one short walk. Zeros and NULLs
take no room in SQLite; its record header takes a byte a column, so no column is there for convenience.
"""

from __future__ import annotations

import enum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from analytics.interruptions.variants import Variant
from analytics.market import Cause, Quality, Scope

WORLD_ID = 0
"""The region row of WORLD; the first migration writes it."""

ORDER: dict[type[enum.StrEnum], tuple[enum.StrEnum, ...]] = {
    Scope: (Scope.VERIFIED, Scope.ALL),
    Quality: (Quality.COMPLETE, Quality.CAPPED, Quality.SUSPECT, Quality.FAILED),
    Cause: (Cause.TAKEN_OR_DOWN, Cause.OUTBID, Cause.ABSENT),
    Variant: (Variant.PLAIN, Variant.THINNED, Variant.BID_100, Variant.BID_125),
}
"""Words are stored as their place in these tuples: only ever append."""


def code(word: enum.StrEnum | None) -> int | None:
    """The stored number of a scope, quality or cause."""
    return None if word is None else ORDER[type(word)].index(word)


class Coded(TypeDecorator[enum.StrEnum]):
    """A column that holds a word as its number."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, kind: type[enum.StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: enum.StrEnum | None, dialect: Any) -> int | None:
        """Word to number."""
        return code(value)

    def process_result_value(self, value: int | None, dialect: Any) -> enum.StrEnum | None:
        """Number to word."""
        return None if value is None else ORDER[self.kind][value]


metadata = MetaData()

QUEUED_ONLY: dict[str, Any] = dict.fromkeys(("sqlite_where", "postgresql_where"), text("state = 'queued'"))
"""For an index of the messages that wait: it stays small however many were sent."""


def _table(name: str, *columns: Any, rowid: bool = True, **options: Any) -> Table:
    return Table(name, metadata, *columns, sqlite_with_rowid=rowid, **options)


def _key(name: str, kind: Any = SmallInteger) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _gpu(*, key: bool = True) -> Column[Any]:
    return Column("gpu_id", SmallInteger, ForeignKey("gpu.id"), primary_key=key, nullable=False, autoincrement=False)


def _region(*, key: bool = True) -> Column[Any]:
    return Column(
        "region_id", SmallInteger, ForeignKey("region.id"), primary_key=key, nullable=False, autoincrement=False
    )


def _needed(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _counted(*names: str, kind: Any = Integer) -> list[Column[Any]]:
    return [Column(name, kind, nullable=False) for name in names]


def _prices() -> list[Column[Any]]:
    return [Column(name, BigInteger) for name in ("price", "floor", "p10", "p90", "on_demand")]


gpu = _table(
    "gpu",
    _key("id", Integer),
    Column("name", Text, nullable=False, unique=True),
    _needed("vast_name", Text),
    Column("vram_gb", Integer),
    _needed("followed", Boolean),
    _needed("interval_s", Integer),
    Column("last_poll_at", BigInteger),
    Column("last_quality", Coded(Quality)),
    Column("last_good_at", BigInteger),
    Column("first_hour", Integer),
    Column("last_rows", Integer),
    Column("asked_at", BigInteger),
    _needed("offers", Integer),
)

region = _table("region", _key("id", Integer), Column("name", Text, nullable=False, unique=True))

round_ = _table("round", _key("at", BigInteger), _needed("source", Text), _needed("polls", Integer))

poll = _table(
    "poll",
    _gpu(),
    _key("at", BigInteger),
    _needed("quality", Coded(Quality)),
    *_counted("offers", "rows", "requests"),
    Column("dropped", Text),
    Column("note", Text),
    rowid=False,
)

quote = _table(
    "quote",
    _gpu(),
    _key("at", BigInteger),
    _region(),
    _key("scope", Coded(Scope)),
    *_prices(),
    *_counted("offers", "gpus", "machines"),
    rowid=False,
)

price_hour = _table(
    "price_hour",
    _gpu(),
    _key("hour", Integer),
    _region(),
    _key("scope", Coded(Scope)),
    *_prices(),
    *_counted("offers", "gpus", "polls"),
    rowid=False,
)


def _exposure(name: str, time: str) -> Table:
    return _table(
        name,
        _gpu(),
        _key(time, Integer),
        _region(),
        *_counted("held_s", "interrupted_s", kind=BigInteger),
        *_counted("up_steps", "down_steps", "outbid", "taken_or_down", "absent", "resumed"),
        rowid=False,
    )


exposure_hour = _exposure("exposure_hour", "hour")
exposure_day = _exposure("exposure_day", "day")
"""Sums of exposure_hour: a month of all models is 24 times fewer rows."""

life_day = _table(
    "life_day",
    _gpu(),
    _key("day", Integer),
    _key("bin"),
    _needed("at_risk_s", BigInteger),
    _needed("events", Integer),
    rowid=False,
)

slice_ = _table(
    "slice",
    _gpu(),
    _key("n", Integer),
    _needed("machine_id", BigInteger),
    _needed("num_gpus", Integer),
    _needed("on_demand", BigInteger),
    Column("min_bid", BigInteger),
    _needed("verified", Boolean),
    _needed("gpu_ids", Text),
    Column("geolocation", Text),
    _region(key=False),
    Column("reliability", Float),
    *(Column(name, BigInteger) for name in ("host_id", "offer_id", "gpu_ram_mb", "end_date")),
    _needed("datacenter", Boolean),
    *(Column(name, BigInteger) for name in ("storage_cost", "egress_cost", "disk_gb")),
    rowid=False,
)

tenant = _table(
    "tenant",
    _gpu(),
    _key("slice_id", Text),
    _region(key=False),
    _needed("machine_id", BigInteger),
    _needed("num_gpus", Integer),
    *_counted("bid", "since", kind=BigInteger),
    _needed("verified", Boolean),
    *(Column(name, BigInteger) for name in ("host_id", "end_date", "down_since")),
    Column("cause", Coded(Cause)),
    rowid=False,
)

interruption = _table(
    "interruption",
    _gpu(),
    _key("seen_at", BigInteger),
    _key("slice_id", Text),
    _region(key=False),
    _needed("machine_id", BigInteger),
    Column("host_id", BigInteger),
    _needed("num_gpus", Integer),
    _needed("cause", Coded(Cause)),
    *_counted("bid", "held_at", kind=BigInteger),
    Column("back_at", BigInteger),
    rowid=False,
)

band = _table(
    "band",
    _gpu(),
    _needed("low", Float),
    _needed("high", Float),
    _needed("n", Integer),
    _needed("at", BigInteger),
    rowid=False,
)

quota = _table(
    "quota",
    _key("day", Integer),
    _needed("rows", Integer),
    Column("learned_limit", Integer),
    Column("spent_until", BigInteger),
)
"""``spent_until``: when there are rows again, while none are left of the day."""

forecast = _table(
    "forecast",
    _gpu(),
    _key("issued_at", BigInteger),
    _key("horizon_h"),
    *_counted("target_at", "y_last", "price", kind=BigInteger),
    *(Column(name, BigInteger) for name in ("lo80", "hi80")),
    Column("confidence", Float),
    _needed("regime", Text),
    _needed("source", Text),
    Column("actual", BigInteger),
    Column("scored_at", BigInteger),
    Column("advice", Text),
    Column("saved", Float),
    Column("best", Float),
    rowid=False,
)
"""The ledger: forecasts as issued. ``actual`` stays null in a scored row whose hour too few polls saw."""

track_record = _table("track_record", _gpu(), _needed("payload", Text), rowid=False)

api_key = _table(
    "api_key",
    Column("id", Integer, primary_key=True),
    *(_needed(name, Text) for name in ("prefix", "label", "scopes")),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    _needed("per_minute", Integer),
    _needed("created_at", BigInteger),
    *(Column(name, BigInteger) for name in ("revoked_at", "last_used_at")),
    *(Column(name, Text) for name in ("platform", "enterprise", "team", "channel")),
)
"""The last four: for whom a key acts; null where it only reads."""

preferences = _table(
    "wishes",
    *(_key(name, Text) for name in ("platform", "team", "person")),
    *(Column(name, Text) for name in ("language", "tz", "home", "gpus")),
    rowid=False,
)
"""``person`` is empty for those of the whole team."""

installation = _table(
    "installation",
    *(_key(name, Text) for name in ("platform", "enterprise", "team")),
    Column("sealed", LargeBinary, nullable=False),
    _needed("installed_at", BigInteger),
    rowid=False,
)

lease = _table("lease", _key("id"), _needed("epoch", BigInteger))
"""One row that each writing transaction locks; ``epoch`` counts the leaders there have been."""

leader = _table(
    "leader",
    _key("id"),
    _needed("epoch", BigInteger),
    Column("holder", Text),
    Column("since", BigInteger),
    Column("expires_at", DateTime(timezone=True)),
)
"""One row: who leads in PostgreSQL, by which epoch, and until when by the database's clock unless renewed. Apart from
``lease``, whose row stays locked as long as a writing transaction lasts. Unused in SQLite, where a file is locked."""

destination = _table(
    "destination",
    Column("id", Integer, primary_key=True),
    *(_needed(name, Text) for name in ("platform", "enterprise", "team", "channel", "person")),
    _needed("next_at", BigInteger),
    _needed("lease_until", BigInteger),
    *(Column(name, Text) for name in ("lease_token", "disabled_reason")),
    _needed("refusals", Integer),
    Column("disabled_at", BigInteger),
    _needed("last_served_at", BigInteger),
    UniqueConstraint("platform", "enterprise", "team", "channel", "person", name="destination_address"),
    Index("destination_team", "platform", "enterprise", "team", "last_served_at"),
)
"""Where messages go. Whoever sends there leases it, so there is one sender at a time. ``next_at``: nothing before."""

message = _table(
    "message",
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("identity", Text, nullable=False, unique=True),
    Column("destination_id", Integer, ForeignKey("destination.id"), nullable=False),
    Column("batch", BigInteger),
    Column("refers_to", Text),
    *_counted("topic", "kind", "payload", "action", "state", kind=Text),
    *_counted("created_at", "not_before", "expires_at", "due_at", kind=BigInteger),
    *_counted("attempts", "ambiguities"),
    Column("ended_at", BigInteger),
    *(Column(name, Text) for name in ("send_id", "receipt_channel", "receipt_message", "last_error")),
    Index("message_queue", "destination_id", "seq", **QUEUED_ONLY),
    Index("message_topic", "topic", "seq"),
    Index("message_expiry", "expires_at", **QUEUED_ONLY),
    Index("message_ended", "ended_at"),
    sqlite_autoincrement=True,
)
"""The outbox: what is to be sent, as neutral data. ``due_at`` is ``not_before`` until an attempt fails; ``send_id`` is
the id under which it goes since it was first leased, that of the first where several go as one."""

series = _table(
    "series",
    Column("id", Integer, primary_key=True),
    _gpu(key=False),
    _region(key=False),
    _needed("scope", Coded(Scope)),
    _needed("measure", Text),
    _needed("metric", Text),
    _needed("window", Integer),
    _needed("level", Integer),
    UniqueConstraint("gpu_id", "region_id", "scope", "measure", "metric", "window", "level", name="series_measured"),
)
"""What alerts measure; many share one. ``window`` is in seconds, ``level`` in ppm, 0 where there is none."""

alert = _table(
    "alert",
    Column("id", Integer, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    *(_needed(name, Text) for name in ("platform", "enterprise", "team", "person")),
    Column("destination_id", Integer, ForeignKey("destination.id"), nullable=False),
    Column("series_id", Integer, ForeignKey("series.id"), nullable=False),
    *(_needed(name, Text) for name in ("rule", "state", "status")),
    *_counted("threshold", "created_at", "changed_at", kind=BigInteger),
    *(Column(at, BigInteger) for at in ("wake_below", "wake_above", "due_at", "timer_at", "notice_at", "deleted_at")),
    *(Column(name, Text) for name in ("request", "request_digest")),
    *(Index(f"alert_{name}", "series_id", name) for name in ("wake_below", "wake_above", "due_at", "notice_at")),
    Index("alert_timer_at", "timer_at"),
    Index("alert_owner", "platform", "team", "person"),
    sqlite_autoincrement=True,
)
"""Rules. ``wake_*``, ``due_at``: waking readings; ``timer_at``, ``notice_at``: times; ``request``: what made it."""

audit = _table(
    "audit",
    Column("id", Integer, primary_key=True),
    _needed("at", BigInteger),
    *(_needed(name, Text) for name in ("platform", "team", "actor", "action", "subject", "details")),
    Index("audit_subject", "subject", "id"),
    Index("audit_team", "platform", "team"),
    Index("audit_at", "at"),
    sqlite_autoincrement=True,
)
"""Who did what. Triggers refuse every change, and every removal that ``audit_erasure`` does not name."""

audit_erasure = _table(
    "audit_erasure",
    Column("id", Integer, primary_key=True),
    *(Column(name, Text) for name in ("platform", "team")),
    Column("before", BigInteger),
)
"""What may be removed from ``audit``: a row is here only inside the transaction that removes."""
