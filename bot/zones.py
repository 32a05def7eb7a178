"""Time zones by name: what people, their profiles and the store call them may be unknown here."""

from __future__ import annotations

import datetime as dt
import zoneinfo

UTC = "UTC"


def find_zone(name: str) -> dt.tzinfo | None:
    """The time zone of an IANA name; None where there is none of that name on this machine."""
    if name.upper() == UTC:
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_or_utc(name: str) -> dt.tzinfo:
    """The time zone of a name that was good when it was stored; UTC where it is not any more."""
    return find_zone(name) or dt.UTC
