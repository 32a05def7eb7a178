"""The logical side of an import file: one line, CSV or NDJSON, becomes an offer or a price, or says why it cannot."""

from __future__ import annotations

import csv
import datetime as dt
import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

from analytics.market import WORLD, Offer, Quote, micro
from analytics.regions import region_of
from bot.sources.import_lines import LONGEST_LINE, TOO_LONG
from bot.sources.import_models import NameRead, read_name
from bot.sources.vast_rows import clean, number, to_offer, whole

Kind = Literal["offers", "prices"]
Cells = Mapping[str, Any]

REQUIRED: dict[Kind, tuple[str, ...]] = {
    "offers": (
        *("ts_utc", "gpu_name", "machine_id", "num_gpus", "geolocation", "on_demand_per_gpu", "min_bid_per_gpu"),
        *("rentable", "verified", "reliability"),
    ),
    "prices": ("ts_utc", "gpu_name", "region", "price"),
}
RAW = ("ts_utc", "gpu_name", "machine_id", "num_gpus", "dph_base")
"""What tells a raw row of the service, with ts_utc added, from a row in our own format."""
WORLD_NAME = "World"
"""How all regions together are written in a file."""
WORLD_NAMES = frozenset(("", "world", "worldwide", "all", "global", "any", "*"))
"""What all regions together are called by other programs, in any case."""
FIRST_YEAR, LAST_YEAR = 2000, 2099
"""Times outside these years are mistakes, milliseconds for example."""
EARLIEST, LATEST = (int(dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp()) for year in (FIRST_YEAR, LAST_YEAR + 1))
"""The same years as UTC seconds, the end excluded."""
DEAREST = 1_000_000
"""USD per GPU-hour beyond which a price is a mistake."""
GUARDED = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet take a cell for a formula; an export puts an apostrophe before them."""
MOST_KNOWN = 50_000
"""Lines remembered by what they say, some 60 MB; the whole rentable market has some 2,400 at a time."""
_FLAGS = {"1": True, "true": True, "yes": True, "1.0": True, "0": False, "false": False, "no": False, "0.0": False}


class BadLine(Exception):
    """A line that is skipped; says why."""


@dataclass(frozen=True, slots=True)
class OfferRow:
    """What one line of an offers file says, but for its time."""

    offer: Offer
    complete: bool


class OfferReader:
    """Reads one offers file. Most lines differ from an earlier one only in time, and are not worked out again."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, Any], ...], OfferRow] = {}

    def read(self, cells: Cells) -> OfferRow:
        """As :func:`offer_row`."""
        rest = dict(cells)
        rest.pop("ts_utc", None)
        key = tuple(rest.items())
        try:
            row = self._known.get(key)
        except TypeError:  # an NDJSON line with a list in it
            return offer_row(cells)
        if row is None:
            row = offer_row(cells)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = row
        return row


def missing(kind: Kind, columns: Sequence[str], *, raw: bool = False) -> tuple[str, ...]:
    """The columns that a file of that kind needs and this one has not; ``raw`` rows of the service pass as offers."""
    raw = raw and kind == "offers" and "dph_base" in columns and "on_demand_per_gpu" not in columns
    return tuple(name for name in (RAW if raw else REQUIRED[kind]) if name not in columns)


def csv_cells(line: bytes) -> list[str]:
    """One line of CSV. Each line stands alone, so that a forgotten quote spoils no other."""
    if line == TOO_LONG:
        raise BadLine(f"longer than {LONGEST_LINE} bytes")
    try:
        return next(csv.reader([line.decode("utf-8", "replace")]), [])
    except csv.Error as error:
        raise BadLine(str(error)) from error


def csv_reader(header: Sequence[str]) -> Callable[[bytes], Cells]:
    """What reads the lines under a CSV header."""

    def read(line: bytes) -> Cells:
        cells = csv_cells(line)
        if b"'" in line:
            cells = [_unguarded(cell) for cell in cells]
        if len(cells) != len(header):
            raise BadLine(f"{len(cells)} cells under {len(header)} columns")
        return dict(zip(header, cells, strict=True))

    return read


def _object(pairs: list[tuple[str, Any]]) -> Cells:
    cells = dict(pairs)
    if len(cells) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadLine(f"names {_shown(twice)} more than once")
    return cells


_JSON = json.JSONDecoder(object_pairs_hook=_object)


def json_cells(line: bytes) -> Cells:
    """One line of NDJSON."""
    if line == TOO_LONG:
        raise BadLine(f"longer than {LONGEST_LINE} bytes")
    try:
        cells = _JSON.decode(line.decode("utf-8-sig", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise BadLine("not JSON") from error
    if not isinstance(cells, dict):
        raise BadLine("not a JSON object")
    return cells


@functools.lru_cache(maxsize=4096)
def _second(text: str) -> int | None:
    exact = number(text)
    if exact is None:
        try:
            when = dt.datetime.fromisoformat(text.strip())
        except ValueError:
            return None
        exact = (when if when.tzinfo else when.replace(tzinfo=dt.UTC)).timestamp()
    return int(exact)


def time_of(cells: Cells, name: str = "ts_utc") -> int:
    """UTC second of a cell: ISO 8601 with Z or offset (UTC without), or seconds since 1970; fractions are cut off."""
    value = cells.get(name)
    second = _second(str(value)) if isinstance(value, (str, int, float)) else None
    if second is None:
        raise BadLine(f"{name} is not a time: {_shown(value)}")
    if second < EARLIEST:
        raise BadLine(f"{name} is before {FIRST_YEAR}: {_shown(value)}")
    if second >= LATEST:
        raise BadLine(f"{name} is after {LAST_YEAR}: {_shown(value)}")
    return second


class NotYetLine(BadLine):
    """A line that is of no time that has come."""


def seen_at(cells: Cells, latest: int) -> int:
    """When a line was recorded. What was recorded after ``latest`` has not happened yet, and is a NotYetLine."""
    at = time_of(cells)
    if at > latest:
        raise NotYetLine(f"ts_utc is in the future: {_shown(cells.get('ts_utc'))}")
    return at


def model_of(cells: Cells) -> str:
    """The canonical model of a line; a name that is not listed, or may mean several, is kept as it is."""
    return name_of(cells).model


def name_of(cells: Cells) -> NameRead:
    """The name of a line's model, and how it was read."""
    name, ram = cells.get("gpu_name"), cells.get("gpu_ram_mb", cells.get("gpu_ram"))
    read = _name(name, ram if isinstance(ram, (str, int, float)) else None) if isinstance(name, str) else None
    if read is None:
        raise BadLine(f"gpu_name is no name: {_shown(name)}")
    return read


@functools.lru_cache(maxsize=4096, typed=True)
def _name(name: str, ram: str | float | None) -> NameRead | None:
    return read_name(spelt, number(ram)) if (spelt := clean(name)) else None


def offer_row(cells: Cells) -> OfferRow:
    """An offer from a line in our own format or from a raw row of the service. Raises BadLine."""
    complete = _flag(cells, "complete", default=True)
    if "dph_base" in cells and "on_demand_per_gpu" not in cells:
        offer = to_offer(cells)
        if isinstance(offer, str):
            raise BadLine(f"{offer} is missing or unusable")
        return OfferRow(replace(offer, model=model_of(cells)), complete)
    num_gpus = _whole(cells, "num_gpus", least=1)
    place = clean(cells.get("geolocation"), cut=True) or None
    offer = Offer(
        model=model_of(cells),
        machine_id=_whole(cells, "machine_id", least=1),
        num_gpus=num_gpus,
        on_demand=_price(cells, "on_demand_per_gpu") or _refuse(cells, "on_demand_per_gpu", "a price"),
        min_bid=_price(cells, "min_bid_per_gpu") or None,
        rentable=_flag(cells, "rentable"),
        verified=_flag(cells, "verified"),
        gpu_ids=_gpu_ids(cells, num_gpus),
        geolocation=place,
        region=region_of(place),
        reliability=_reliability(cells),
        host_id=_perhaps(cells, "host_id"),
        offer_id=_perhaps(cells, "offer_id"),
        gpu_ram_mb=_perhaps(cells, "gpu_ram_mb"),
        end_date=None if _blank(cells.get("end_date")) else time_of(cells, "end_date"),
    )
    return OfferRow(offer, complete)


def price_row(cells: Cells) -> tuple[str, str, Quote]:
    """Model, region and quote from a line of a prices file; nothing costs nothing, so 0 is no price. Raises BadLine."""
    quote = Quote(
        at=time_of(cells),
        price=_price(cells, "price") or None,
        floor=_price(cells, "floor") or None,
        p10=_price(cells, "p10") or None,
        p90=_price(cells, "p90") or None,
        on_demand=_price(cells, "on_demand_price") or None,
        offers=_perhaps(cells, "offers", least=0) or 0,
        gpus=_perhaps(cells, "gpus", least=0) or 0,
        machines=_perhaps(cells, "machines", least=0) or 0,
    )
    return model_of(cells), _region(cells), quote


def _region(cells: Cells) -> str:
    """Where nothing is written, all regions together; what cannot be read as a name is not."""
    if _blank(cells.get("region")):
        return WORLD
    region = clean(cells.get("region")) or _refuse(cells, "region", "a name")
    return WORLD if region.lower() in WORLD_NAMES else region


def _shown(value: Any) -> str:
    return repr(value)[:40]


def _refuse(cells: Cells, name: str, wanted: str) -> NoReturn:
    raise BadLine(f"{name} is not {wanted}: {_shown(cells.get(name))}")


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _unguarded(cell: str) -> str:
    """A cell without the apostrophe that an export puts before what a spreadsheet would take for a formula."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'").startswith(GUARDED) else cell


def _whole(cells: Cells, name: str, *, least: int) -> int:
    value = whole(cells.get(name), least=least)
    if value is None:
        _refuse(cells, name, f"a whole number from {least}")
    return value


def _perhaps(cells: Cells, name: str, *, least: int = 1) -> int | None:
    return None if _blank(cells.get(name)) else _whole(cells, name, least=least)


def _price(cells: Cells, name: str) -> int | None:
    value = cells.get(name)
    if _blank(value):
        return None
    dollars = number(value)
    if dollars is None or not 0 <= dollars <= DEAREST:
        _refuse(cells, name, "a price")
    return micro(dollars)


def _flag(cells: Cells, name: str, *, default: bool | None = None) -> bool:
    value = cells.get(name)
    if default is not None and _blank(value):
        return default
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        _refuse(cells, name, "1 or 0")
    return flag


def _reliability(cells: Cells) -> float | None:
    if _blank(cells.get("reliability")):
        return None
    share = number(cells.get("reliability"))
    if share is None or not 0 <= share <= 1:
        _refuse(cells, "reliability", "between 0 and 1")
    return share


def _gpu_ids(cells: Cells, num_gpus: int) -> tuple[int, ...]:
    """Sorted, so that a slice keeps its identity; unusable when there are more of them than GPUs."""
    value = cells.get("gpu_ids")
    if _blank(value):
        return ()
    words = value if isinstance(value, list) else re.split(r"[\s,;]+", str(value).strip("[] \t"))
    ids = {whole(word, least=0) for word in words}
    if None in ids or len(words) > num_gpus:
        _refuse(cells, "gpu_ids", f"a list of at most {num_gpus} numbers")
    return tuple(sorted(i for i in ids if i is not None))
