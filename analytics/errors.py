"""Why a question may have no answer. Faces turn these into words in one function each.

AskError                the question cannot be understood or is out of range; says what to do        (HTTP 400, exit 2)
├── NotFound            names a thing that does not exist here; carries suggestions                  (HTTP 404, exit 2)
├── NotYet              there is not enough data: what there is, what is needed, when it will do      (HTTP 409, exit 3)
├── MarketDown          the market cannot be read and nothing usable is stored                       (HTTP 503, exit 4)
└── Refused             the asker may not do this, or not now                                        (HTTP 403, exit 5)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analytics.evidence import Note


class AskError(Exception):
    """A question that gets no answer, and what its asker can do about it.

    ``suggestions``: words or values that would do; ``instead``: whole questions that can be asked instead, each behind
    what it is called; ``about``: the name of the parameter that is at fault, where it is one; ``remarks``: how the
    question was taken.
    """

    def __init__(
        self, note: Note, *, suggestions: Sequence[str] = (), instead: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(str(note))
        self.note = note
        self.suggestions = tuple(suggestions)
        self.instead = dict(instead or {})
        self.about: str | None = None
        self.remarks: tuple[Note, ...] = ()


class NotFound(AskError):
    """Names something that is not here."""


class NotYet(AskError):
    """Not enough data. ``ready_at``: UTC seconds, never past, when there will be enough if polling goes on.

    None where that cannot be known: also when the data are stale, since then nobody polls.
    """

    def __init__(self, note: Note, *, have: Note, need: Note, ready_at: int | None = None) -> None:
        super().__init__(note)
        self.have = have
        self.need = need
        self.ready_at = ready_at


class MarketDown(AskError):
    """The market cannot be read."""


class Refused(AskError):
    """Not allowed."""
