"""From one answer of Vast's search to offers. A bad row is dropped by reason, a bad answer raises BadPage."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analytics.catalog import model_name
from analytics.market import MICRO, Offer
from analytics.regions import region_of

LONGEST_TEXT = 80
"""Characters kept of a name or place; the longest gpu_name constant of the official client has 24."""
DOUBTFUL_SHARE = 3
"""An answer with more than one row in this many unusable is suspect: its form has changed, or it is damaged."""
LEAST_PAGE = 12
"""One answer of several with fewer rows than this is judged only together with the others (ours)."""
_INT64 = 2**63 - 1


class BadPage(Exception):
    """An answer that holds no list of offers; says why."""


def read_rows(body: bytes) -> list[Any]:
    """The raw rows of one answer. Raises BadPage: an answer that cannot be read is a failure, never an empty market."""
    try:
        page = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadPage(f"the answer is not JSON ({type(error).__name__}, {len(body)} bytes)") from error
    if not isinstance(page, dict) or page.get("success") is False:
        raise BadPage("the answer is JSON, but not a search result")
    offers = page.get("offers")
    if isinstance(offers, dict):  # the official documentation's example has one bare offer
        return [offers]
    if not isinstance(offers, list):
        raise BadPage("the answer has no list of offers")
    return offers


def to_offer(row: Any) -> Offer | str:
    """One raw search row as an offer, or the field that makes it unusable. Never raises."""
    if not isinstance(row, Mapping):
        return "not an object"
    machine_id, num_gpus = whole(row.get("machine_id")), whole(row.get("num_gpus"))
    name = clean(row.get("gpu_name"))
    on_demand = _micro(row.get("dph_base"), num_gpus or 1)
    essential = {"machine_id": machine_id, "num_gpus": num_gpus, "gpu_name": name, "dph_base": on_demand}
    if not (machine_id and num_gpus and name and on_demand):
        return next(key for key, value in essential.items() if not value)
    bid = row.get("min_bid")
    min_bid = 0 if bid is None else _micro(bid, num_gpus)
    rentable, verified = _flag(row.get("rentable"), missing=True), _verified(row)
    if min_bid is None or rentable is None or verified is None:
        return _undecided(min_bid, rentable)
    gpu_ram = _positive(row.get("gpu_ram"))
    place = clean(row.get("geolocation"), cut=True) or None
    return Offer(
        model=model_name(name, gpu_ram),
        machine_id=machine_id,
        num_gpus=num_gpus,
        on_demand=on_demand,
        min_bid=min_bid or None,
        rentable=rentable,
        verified=verified,
        gpu_ids=_gpu_ids(row.get("gpu_ids"), num_gpus),
        geolocation=place,
        region=region_of(place),
        reliability=_fraction(row.get("reliability2", row.get("reliability"))),
        host_id=whole(row.get("host_id")),
        offer_id=whole(row.get("ask_contract_id", row.get("id"))),
        gpu_ram_mb=gpu_ram,
        end_date=_positive(row.get("end_date")),
        datacenter=whole(row.get("hosting_type")) == 1,
        storage_cost=_micro(row.get("storage_cost")),
        egress_cost=_micro(row.get("inet_up_cost")),
        disk_gb=_positive(row.get("disk_space")),
    )


_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def clean(value: Any, *, cut: bool = False) -> str:
    """A text without control, direction and other unseen characters; empty if none, or too long and not to be cut."""
    if not isinstance(value, str) or (len(value) > LONGEST_TEXT and not cut):
        return ""
    seen = (c if unicodedata.category(c)[0] != "C" else " " * c.isspace() for c in value[:LONGEST_TEXT])
    return " ".join("".join(seen).split())


def number(value: Any) -> float | None:
    """A finite number, written as one or as programs write one; None for everything else (Python would take 0_35)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def whole(value: Any, *, least: int = 1) -> int | None:
    """An integer that a 64-bit column holds, from an integer, a float without fraction, or either as text."""
    exact = value if type(value) is int else number(value)
    if exact is None or not least <= exact <= _INT64 or exact != int(exact):
        return None
    return int(exact)


def _micro(dollars: Any, gpus: int = 1) -> int | None:
    """Micro-dollars per GPU; None when unreadable, negative, or beyond what a 64-bit column holds."""
    share = (number(dollars) or 0) / gpus * MICRO
    return round(share) if number(dollars) is not None and 0 <= share < _INT64 else None


def _positive(value: Any) -> int | None:
    exact = number(value)
    return int(exact) if exact is not None and 0 < exact < _INT64 else None


def _fraction(value: Any) -> float | None:
    exact = number(value)
    return exact if exact is not None and 0 <= exact <= 1 else None


_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}

_VERIFICATION = {"verified": True, "unverified": False, "deverified": False}
"""The words that ``verification`` is known to hold (source: the service's search as recorded, vast-market-api)."""


def _flag(value: Any, *, missing: bool) -> bool | None:
    """None for what says neither yes nor no."""
    return missing if value is None else _FLAGS.get(str(value).strip().lower())


def _verified(row: Mapping[str, Any]) -> bool | None:
    """The service says it in ``verification``; copies of its rows by third parties carry a plain ``verified``."""
    said = row.get("verification")
    return _VERIFICATION.get(str(said)) if said is not None else _flag(row.get("verified"), missing=False)


def _undecided(min_bid: int | None, rentable: bool | None) -> str:
    """The field that decides about a row and cannot be read: such a row is unknown, not false."""
    if min_bid is None:
        return "min_bid"
    return "rentable" if rentable is None else "verification"


def _gpu_ids(value: Any, num_gpus: int) -> tuple[int, ...]:
    """Sorted, so that a slice keeps its identity whatever order they are listed in; empty when one cannot be read."""
    if not isinstance(value, list) or len(value) > num_gpus:
        return ()
    ids = {whole(item, least=0) for item in value}
    return tuple(sorted(i for i in ids if i is not None)) if None not in ids else ()


_READABLE: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "gpu_ids": lambda row: isinstance(row["gpu_ids"], list),
    "gpu_ram": lambda row: number(row["gpu_ram"]) is not None,
    "verification": lambda row: row["verification"] is not None,
    "min_bid": lambda _: True,
}
"""Fields an offer can do without, but a market cannot: slices, models, scopes or prices would all change at once."""


@dataclass(slots=True)
class CollectedOffers:
    """What the answers of one fetch held, slice by slice; ``capped`` says why there is more on the market than that."""

    vast_name: str
    offers: dict[str, Offer] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    taken: int = 0
    """rows that say they are not rentable, though only rentable ones were asked for"""
    unknown: set[int] = field(default_factory=set)
    """machines of unusable rows: what is absent of them may be there"""
    rows: int = 0
    capped: str = ""
    page_doubt: str = ""
    """what was wrong with one answer of several, though not with most of them together"""

    def add(self, rows: Sequence[Any]) -> bool:
        """Take in one answer; False when it has rows and none is usable. A slice met before is replaced."""
        fresh: dict[str, Offer] = {}
        before = (Counter(self.dropped), Counter(self.unreadable), self.taken)
        for row in rows:
            offer = self._offer(row)
            if isinstance(offer, str):
                self.dropped[offer] += 1
                self._remember(row)
                continue
            self.taken += not offer.rentable
            self.unreadable.update(key for key, ok in _READABLE.items() if key not in row or not ok(row))
            twin = fresh.setdefault(offer.slice_id, offer)
            if twin is not offer:  # rows come in random order: the cheaper twin is the same one at every poll
                self.dropped["duplicate"] += 1
                fresh[offer.slice_id] = min(twin, offer, key=lambda o: (o.on_demand, o.min_bid or 0))
        self.rows += len(rows)
        self.offers.update(fresh)
        if len(rows) >= LEAST_PAGE:
            dropped, unreadable = self.dropped - before[0], self.unreadable - before[1]
            self.page_doubt = self.page_doubt or _doubt(len(rows), dropped, unreadable, self.taken - before[2])
        return bool(fresh) or not rows

    def _offer(self, row: Any) -> Offer | str:
        offer = to_offer(row)
        if isinstance(offer, Offer) and clean(row["gpu_name"]) != self.vast_name:
            return "another gpu_name"
        return offer

    def _remember(self, row: Any) -> None:
        machine_id = whole(row.get("machine_id")) if isinstance(row, Mapping) else None
        self.unknown.update([machine_id] if machine_id else [])

    def doubt(self) -> str:
        """Why these rows are not to be trusted as a picture of the market; empty when they are."""
        return _doubt(self.rows, self.dropped, self.unreadable, self.taken) or self.page_doubt


def _doubt(rows: int, dropped: Counter[str], unreadable: Counter[str], taken: int) -> str:
    if dropped.total() * DOUBTFUL_SHARE > rows:
        reasons = ", ".join(f"{reason} {n}" for reason, n in dropped.most_common())
        return f"{dropped.total()} of {rows} rows unusable: {reasons}"
    if taken * DOUBTFUL_SHARE > rows:
        return f"{taken} of {rows} rows are not rentable, and only rentable ones were asked for"
    lost = [f"{key} {n}" for key, n in unreadable.most_common() if n * DOUBTFUL_SHARE > rows]
    return f"unreadable in many of {rows} rows: {', '.join(lost)}" if lost else ""
