"""Where a rule watches: the world, a region of the market, or all regions whose names begin alike (``EU-*``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from analytics.errors import AskError
from analytics.evidence import Note
from analytics.market import WORLD, Quote, Scope
from analytics.regions import region_names

ALL = "-*"
"""Ends the name of a group of regions."""

_GROUPS = {
    "eu": "EU",
    "europe": "EU",
    "europa": "EU",
    "ue": "EU",
    "us": "US",
    "usa": "US",
    "eua": "US",
    "asia": "Asia",
    "ásia": "Asia",
}


def region_named(text: str) -> str:
    """The region or group of regions of a name; raises AskError with those that there are."""
    said = text.strip().lower()
    if said.removesuffix(ALL) in _GROUPS:
        return _GROUPS[said.removesuffix(ALL)] + ALL
    for region in region_names():
        if region.lower() == said:
            return region
    shown = "".join(c for c in text if c.isprintable())[:40]
    raise AskError(
        Note("“{given}” is no region of the market", {"given": shown}),
        suggestions=tuple(dict.fromkeys(("EU", "US", *region_names()))),
    )


def is_group(region: str) -> bool:
    """Whether this names several regions."""
    return region.endswith(ALL)


def within(place: str, region: str) -> bool:
    """Whether a region of the market is, or belongs to, where a rule watches."""
    if region == WORLD:
        return True
    return f"{place}-".startswith(region.removesuffix("*")) if is_group(region) else place == region


def quote_in(quotes: Mapping[tuple[str, str, Scope], Quote], model: str, region: str, scope: Scope) -> Quote | None:
    """The market of a model in a place, None where nothing is on offer. Of a group there is no median."""
    if not is_group(region):
        return quotes.get((model, region, scope))
    inside = [quote for (m, r, s), quote in quotes.items() if (m, s) == (model, scope) and within(r, region)]
    return _together(inside) if inside else None


def _together(quotes: Iterable[Quote]) -> Quote:
    some = list(quotes)
    floors = [quote.floor for quote in some if quote.floor is not None]
    counts = {name: sum(getattr(quote, name) for quote in some) for name in ("offers", "gpus", "machines")}
    return Quote(some[0].at, None, min(floors, default=None), None, None, None, **counts)
