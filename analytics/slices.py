"""Slices that hold no smaller one, so that no GPU counts twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from analytics.market import Offer


def minimal_slices(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """The rentable slices that hold no smaller rentable slice of the same machine, so that no GPU counts twice.

    With ``gpu_ids`` by set inclusion; a machine with any slice that does not name its GPUs gives its smallest
    ``num_gpus`` only. Repeated rows of one slice count once, the cheapest bid. Order of machines is kept.
    Source: definitions, "current_price", "Slice".
    """
    machines: dict[int, dict[str, Offer]] = defaultdict(dict)
    for offer in offers:
        if offer.rentable:
            rows = machines[offer.machine_id]
            key = offer.slice_id
            if key not in rows or cheaper(offer, rows[key]):
                rows[key] = offer
    return tuple(offer for rows in machines.values() for offer in _smallest(list(rows.values())))


def cheaper(offer: Offer, other: Offer) -> bool:
    """Whether a bid for one offer is there and lower than that for the other, or the other has none."""
    return bool(offer.min_bid) and (not other.min_bid or (offer.min_bid or 0) < other.min_bid)


def _smallest(rows: list[Offer]) -> list[Offer]:
    if len(rows) == 1 or len({row.num_gpus for row in rows}) == 1:
        return rows
    if not all(row.gpu_ids for row in rows):
        least = min(row.num_gpus for row in rows)
        return [row for row in rows if row.num_gpus == least]
    kept: list[tuple[frozenset[int], Offer]] = []
    for row in sorted(rows, key=lambda row: len(row.gpu_ids)):
        gpus = frozenset(row.gpu_ids)
        if not any(inner <= gpus for inner, _ in kept):
            kept.append((gpus, row))
    return [row for _, row in kept]
