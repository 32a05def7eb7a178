"""Errors for programs: RFC 9457 problem documents, the same object over HTTP and from ``spotbot ask --json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.errors import AskError, MarketDown, NotFound, NotYet, Refused
from analytics.evidence import iso, to_json
from bot.presentation.words import Words

TYPE = "urn:spotbot:problem:"
"""Begins the ``type`` of every problem: a name to compare, not an address to open."""

_KINDS: dict[type[AskError], tuple[int, str, str]] = {
    NotFound: (404, "not-found", "Not found"),
    NotYet: (409, "not-enough-history", "Not enough history"),
    MarketDown: (503, "market-down", "The market cannot be read"),
    Refused: (403, "refused", "Refused"),
    AskError: (400, "bad-question", "The question does not fit"),
}
"""Status, type and title by kind of error, first match wins."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem document. ``status`` is HTTP's; ``more`` holds the members beyond those of the RFC."""

    status: int
    kind: str
    title: str
    detail: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The document as every face writes it."""
        body = {"type": TYPE + self.kind, "title": self.title, "status": self.status, "detail": self.detail}
        return to_json({**body, **self.more})


STORE_DOWN = Problem(
    503, "store-unavailable", "Store unavailable", "the store cannot be read right now; try again soon"
)
"""The store's own words are for its owner only: they may name files and hosts."""


NOTHING_STORED = Problem(
    409,
    "not-enough-history",
    "Not enough history",
    "nothing is stored yet: poll with spotbot run, or read files with spotbot import",
    {"have": "no database", "need": "one complete poll"},
)
"""Of a program that only reads, where nothing was ever stored."""


def of_question(error: AskError) -> Problem:
    """Why a question got no answer; a NotYet says what there is, what is needed and when it will do."""
    status, kind, title = next(known for tree, known in _KINDS.items() if isinstance(error, tree))
    words = Words("en", 0)  # programs read English, with its figures written as people write them
    more: dict[str, Any] = {"suggestions": error.suggestions} if error.suggestions else {}
    if isinstance(error, NotYet):
        more |= {"have": words(error.have), "need": words(error.need)}
        if error.ready_at is not None:
            more["ready_at"] = iso(error.ready_at)
    return Problem(status, kind, title, words(error.note), more)
