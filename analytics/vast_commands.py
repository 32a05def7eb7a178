"""Lines to type for the market's own program, ``vastai``: a search for offers, and the renting of one.

Names come from the market: each line is quoted for a POSIX shell. Source: help and query parser of the package vastai
1.9.1 (``search offers``, ``create instance``).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.catalog import MIB_PER_GIB, VRAM_TOLERANCE
from analytics.market import MICRO

BID_STEP = 100
"""Micro-dollars an hour that a bid for a slice is rounded up to, a hundredth of a cent (ours: bids are kept a GPU)."""

MB_PER_CLI_GB = 1000
"""What ``gpu_ram`` of a typed search is multiplied by to become MB (source: vastai 1.9.1 api/query.py offers_mult)."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which offers to search. ``vast_name``: the market's own name of the model; ``vram_gb``: where one name has many.

    ``countries``: two-letter codes, all when empty; ``on_demand``: whether to see on-demand prices instead of bids.
    """

    vast_name: str
    num_gpus: int
    disk_gb: int
    vram_gb: int | None = None
    countries: Sequence[str] = ()
    on_demand: bool = False


def search_line(search: Search) -> str:
    """A line that lists rentable verified offers, the cheapest first, priced with the disk."""
    terms = [f"gpu_name={_one_word(search.vast_name)}", f"num_gpus={search.num_gpus}", "rentable=true", "verified=true"]
    if search.vram_gb is not None:
        low, high = (_cli_gb(search.vram_gb * factor) for factor in (1 - VRAM_TOLERANCE, 1 + VRAM_TOLERANCE))
        terms += [f"gpu_ram>={low}", f"gpu_ram<={high}"]
    if len(search.countries) == 1:
        terms.append(f"geolocation={search.countries[0]}")
    elif search.countries:
        terms.append(f"geolocation in [{','.join(search.countries)}]")
    kind = "on-demand" if search.on_demand else "bid"
    return f"vastai search offers {shlex.quote(' '.join(terms))} -t {kind} -o dph --storage {search.disk_gb}"


def create_line(offer_id: int, disk: str, bid: str | None) -> str:
    """A line that rents an offer; IMAGE is left to fill in. ``disk``: GB; ``bid``: USD an hour, None for on demand."""
    line = f"vastai create instance {offer_id} --image IMAGE --disk {shlex.quote(disk)}"
    return line if bid is None else f"{line} --bid_price {bid}"


def bid_price(bid: int, num_gpus: int) -> str:
    """USD an hour for the whole slice, rounded up; ``bid``: micro-dollars per GPU-hour."""
    steps = -(-bid * num_gpus // BID_STEP)
    return f"{steps * BID_STEP / MICRO:.4f}"


def _one_word(name: str) -> str:
    """A name as the search takes it: blanks are underscores there, and nothing in it ends the word or the line."""
    return "_".join("".join(c if c.isprintable() else " " for c in name).split()) or "any"


def _cli_gb(gib: float) -> str:
    return f"{gib * MIB_PER_GIB / MB_PER_CLI_GB:.1f}"
