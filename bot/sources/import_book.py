"""The rows of one snapshot of a file, and the polls that they make."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from analytics.market import ANY_MACHINE, Offer, Poll, Quality
from bot.sources.import_rows import BadLine, Cells, OfferRow, model_of
from bot.sources.vast_rows import DOUBTFUL_SHARE, whole

BAD_ROWS = "too many rows of this poll were unreadable"
MARKED = "marked as incomplete in the file"
NONE_SLOWER: Mapping[str, int] = {}
"""Every model was polled as often as the others."""
ANY_MODEL = ""
"""Stands for the model of a row that names none."""


class Book:
    """One snapshot; ``at``: the time of its first row, or what stands for one before the first."""

    def __init__(self, at: int) -> None:
        self.at = at
        self._offers: dict[str, dict[str, Offer]] = defaultdict(dict)
        self._first: dict[str, int] = {}
        self._rows: Counter[str] = Counter()
        self._bad: Counter[str] = Counter()
        self._unknown: dict[str, set[int]] = defaultdict(set)
        self._marked: set[str] = set()

    def add(self, at: int, row: OfferRow) -> bool:
        """Take in a row; False when its slice was there already, of which the cheaper one is kept."""
        model = row.offer.model
        slices = self._offers[model]
        self._first.setdefault(model, at)
        self._rows[model] += 1
        if not row.complete:
            self._marked.add(model)
        twin = slices.get(row.offer.slice_id)
        if twin is None:
            slices[row.offer.slice_id] = row.offer
        elif twin is not row.offer:
            slices[twin.slice_id] = min(twin, row.offer, key=lambda o: (not o.rentable, o.on_demand, o.min_bid or 0))
        return twin is None

    def blame(self, cells: Cells) -> None:
        """Note a row that cannot be read: what it said of its machine, or of any where it names none, is unknown."""
        try:
            model = model_of(cells)
        except BadLine:
            model = ANY_MODEL
        self._bad[model] += 1
        self._unknown[model].add(whole(cells.get("machine_id")) or ANY_MACHINE)

    def round(
        self, models: Sequence[str], interval: int, part: str = "", slower: Mapping[str, int] = NONE_SLOWER
    ) -> Iterator[tuple[int, list[Poll]]]:
        """The round that these rows make; nothing where none can be read. ``part``: why they are no whole market.

        ``slower``: the intervals of models that were polled less often, and only where they are listed.
        """
        polled = [model for model in models if model not in slower or self._rows[model] or self._bad[model]]
        if self._rows and polled:
            yield self.at, [self._poll(model, slower.get(model, interval), part) for model in polled]

    def _poll(self, model: str, interval: int, part: str) -> Poll:
        note = part or self._note(model)
        quality = Quality.CAPPED if note else Quality.COMPLETE
        unknown = frozenset(self._unknown.get(model, ())) | frozenset(self._unknown.get(ANY_MODEL, ()))
        at = self._first.get(model, self.at)
        return Poll(model, at, quality, tuple(self._offers.get(model, {}).values()), interval, note, unknown)

    def _note(self, model: str) -> str:
        if model in self._marked:
            return MARKED
        if _too_many(self._bad[model], self._rows[model]) or _too_many(self._bad[ANY_MODEL], self._rows.total()):
            return BAD_ROWS
        return ""


def _too_many(bad: int, good: int) -> bool:
    """By the rule of a live answer."""
    return bad * DOUBTFUL_SHARE > bad + good
