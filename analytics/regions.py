"""Where offers are: Vast's ``geolocation`` -> country and region, and an estimate of the distance in milliseconds.

Names, borders of regions and positions are rows of ``data/places.csv``; a country stands at its largest city.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata

from analytics.catalog import rows

UNKNOWN = "Unknown"

EARTH_RADIUS_KM = 6371.0
"""Mean radius of the Earth (source: IUGG)."""

FIBRE_KM_PER_MS = 200.0
"""How far light gets in glass fibre in a millisecond (source: definitions, Q5; refractive index about 1.5)."""

LATENCY_BASE_MS = 4.0
"""What equipment adds to a round trip (source: definitions, Q5)."""

LONGEST_PLACE = 100
"""Longer texts are no place names (source: the longest in data/places.csv has 44 characters)."""

POLE = 90
"""Largest latitude in degrees (source: definition of latitude)."""

DATE_LINE = 180
"""Largest longitude in degrees (source: definition of longitude)."""

ISO_LETTERS = 2
"""Letters of a country's code (source: ISO 3166-1 alpha-2)."""

_CACHED = 4096
"""Geolocations and homes kept in memory: Vast shows a few hundred different ones (source: recorded offers)."""

Point = tuple[float, float]
"""Latitude and longitude in degrees."""

_COUNTRY = re.compile(r"(?:^|[^A-Za-z])([A-Za-z]{2})\s*$")
_COORDINATES = re.compile(r"\s*(-?\d{1,2}(?:\.\d{1,9})?)\s*[,; ]\s*(-?\d{1,3}(?:\.\d{1,9})?)\s*")


def _fold(text: str) -> str:
    """Lower case without accents, one space between words."""
    flat = unicodedata.normalize("NFKD", text)
    return " ".join("".join(char for char in flat if not unicodedata.combining(char)).lower().split())


@functools.cache
def _places() -> tuple[dict[tuple[str, str, str], tuple[str, Point]], dict[str, str]]:
    """(kind, name or code, country) -> (region, position) and region key -> region name.

    Where two cities of one country share a name the first, larger one wins.
    """
    found: dict[tuple[str, str, str], tuple[str, Point]] = {}
    for row in rows("places.csv"):
        kind, country = row["kind"], {"city": row["code"][:2], "state": "US"}.get(row["kind"], "")
        spot = (row["region"], (float(row["lat"]), float(row["lon"])))
        found.setdefault((kind, _fold(row["name"]), country), spot)
        if kind in ("state", "country"):
            found.setdefault((kind, row["code"].lower(), country), spot)
        elif kind == "city":
            found.setdefault((kind, _fold(row["name"]), ""), spot)
    return found, {name: region for (kind, name, _), (region, _) in found.items() if kind == "region"}


def region_names() -> tuple[str, ...]:
    """Every region that :func:`region_of` can give, without ``Unknown``."""
    return tuple(_places()[1].values())


@functools.cache
def countries_in(region: str) -> tuple[str, ...]:
    """The ISO 3166 codes of a region's countries; a part of the US is in the US. Empty for ``Unknown``."""
    found = {
        "US" if kind == "state" else key.upper()
        for (kind, key, _), (where, _) in _places()[0].items()
        if where == region and (kind == "state" or (kind == "country" and len(key) == ISO_LETTERS))
    }
    return tuple(sorted(found))


def country_of(geolocation: str | None) -> str:
    """The ISO 3166 code that a geolocation ends with (``"Texas, US"`` -> ``"US"``), ``Unknown`` without a known one."""
    match = _COUNTRY.search(geolocation or "")
    code = match[1].upper() if match else ""
    return code if ("country", code.lower(), "") in _places()[0] else UNKNOWN


@functools.lru_cache(maxsize=_CACHED)
def region_of(geolocation: str | None) -> str:
    """The region of a geolocation as Vast writes it; US states tell US-East, US-Central and US-West apart.

    ``US`` is an American machine whose state is not given, ``Unknown`` anything without a known country.
    """
    country = country_of(geolocation)
    found = _places()[0]
    if country == "US":
        for part in (geolocation or "").split(",")[:-1]:
            if state := found.get(("state", _fold(part), "US")):
                return state[0]
    return found[("country", country.lower(), "")][0] if country != UNKNOWN else UNKNOWN


def _coordinates(text: str) -> Point | None:
    match = _COORDINATES.fullmatch(text)
    if not match:
        return None
    lat, lon = float(match[1]), float(match[2])
    return (lat, lon) if abs(lat) <= POLE and abs(lon) <= DATE_LINE else None


def _named(text: str) -> Point | None:
    """A region, country, state or city by name; with a country behind a comma only places of that country."""
    found = _places()[0]
    head, _, tail = (_fold(part) for part in text.rpartition(","))
    if not head:
        keys = [("region", tail, ""), ("country", tail, ""), ("state", tail, "US"), ("city", tail, "")]
    else:
        country = country_of(text)
        place, state = head.split(",")[0].strip(), ("state", tail, "US")
        keys = [("state", head.split(",")[-1].strip(), country), ("city", place, country), ("country", tail, "")]
        keys = [("city", place, "US"), state, *keys[2:]] if country == UNKNOWN and state in found else keys
    return next((found[key][1] for key in keys if key in found), None)


@functools.lru_cache(maxsize=_CACHED)
def place(text: str) -> Point | None:
    """Where ``"Sao Paulo, BR"``, ``"US-East"``, ``"DE"``, ``"Texas, US"`` or ``"52.5,13.4"`` is, None when unknown.

    An unknown city of a known country is taken to be in that country's largest city.
    """
    if len(text) > LONGEST_PLACE:
        return None
    return _coordinates(text) or _named(text)


def distance_km(a: Point, b: Point) -> float:
    """Great-circle distance (haversine formula on a sphere)."""
    (lat1, lon1), (lat2, lon2) = ((math.radians(x), math.radians(y)) for x, y in (a, b))
    part = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(part)))


def latency_ms(home: str | None, region_or_country: str | None) -> int | None:
    """Estimated round trip from ``home`` in milliseconds: there and back at 200 km/ms plus 4 ms (definitions, Q5).

    Both are texts that :func:`place` understands; None when either is unknown. An estimate, never a measurement.
    """
    here = place(home) if home else None
    there = place(region_or_country) if region_or_country else None
    if here is None or there is None:
        return None
    return round(2 * distance_km(here, there) / FIBRE_KM_PER_MS + LATENCY_BASE_MS)
