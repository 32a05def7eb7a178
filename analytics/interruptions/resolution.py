"""Whether polls are close enough together to tell how often tenants are interrupted, and the refusals where not."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.errors import NotYet
from analytics.evidence import Basis, Note
from analytics.market import DAY, HOUR

RESOLUTION = 3
"""An MTBI shorter than this many poll steps is refused (source: definitions, "Interruptions")."""

DENSER = 2
"""Polls planned this many times closer than those that were compared will do in time (ours: plainly another plan)."""

TOO_COARSE = Note("interrupted too often for the poll interval: the time between interruptions cannot be resolved")
NOTHING = Note("nothing was held yet")
CAPPED = Note("polls that were cut off at a number of rows: what they left out is unknown")


def unresolved(mtbi_hours: float, step_s: float | None) -> bool:
    """Whether polls so far apart (seconds) could have missed interruptions that come so often."""
    return mtbi_hours * HOUR < RESOLUTION * (step_s or 0.0)


def too_coarse(events: int, exposure_hours: float, step_s: float | None, days: float, basis: Basis) -> NotYet:
    """The refusal of everything that rests on interruptions of the last ``days``, with the polls that it would take.

    A time is told only where polls have become closer together: when the old ones are out of the period.
    """
    step = step_s or 0.0
    closer = 0 < basis.interval * DENSER <= step
    return NotYet(
        TOO_COARSE,
        have=Note(
            "interruptions seen: {n}; tenant-hours: {hours}; polls {step} h apart",
            {"n": events, "hours": round(exposure_hours, 1), "step": round(step / HOUR, 1 if step >= HOUR else 2)},
        ),
        need=Note("complete polls closer together: three or more between two interruptions"),
        ready_at=basis.ready_after(round(days * DAY)) if closer else None,
    )


def not_yet(basis: Basis) -> NotYet:
    """No shadow tenant was seen at two polls: what there is and when there will be."""
    return NotYet(
        Note("no slice was followed from one complete poll to the next yet"),
        have=CAPPED if basis.capped else Note("no exposure"),
        need=Note("two complete polls with free, verified slices"),
        ready_at=None if basis.capped else basis.ready_after(basis.interval),
    )


def coarse_models(models: Sequence[str]) -> tuple[Note, ...]:
    """The caveat of an answer about several models, if these of them are refused."""
    text = "interrupted too often for the poll interval, so no rate is given: {models}"
    return (Note(text, {"models": ", ".join(models)}),) if models else ()
