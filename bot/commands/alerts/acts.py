"""What was done to a rule: written down with it, and told by ``alert show``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analytics.evidence import Note, iso
from bot.alerts.codec import dump, load_rule
from bot.alerts.descriptions import LOUD, describe, terms
from bot.alerts.elements import clock
from bot.alerts.rules import Rule
from bot.alerts.stopped import STOPPED
from bot.store.audit import AuditEntry


@dataclass(frozen=True, slots=True)
class Act:
    """Who did what to a rule, and what that changed."""

    at: str
    by: str
    action: str
    details: tuple[Note, ...]


def act_of(entry: AuditEntry) -> Act:
    """A stored act; of some, and of old ones, no more is known than that it was."""
    tell = _DETAILS.get(entry.action)
    try:
        details = () if tell is None else tuple(tell(entry.details))
    except (KeyError, TypeError, ValueError):
        details = ()
    return Act(iso(entry.at), entry.actor, entry.action, details)


def edit_details(before: Rule, after: Rule) -> dict[str, Any]:
    """What is written down of an edit."""
    return {"before": dump(before), "after": dump(after)}


def changes(before: Rule, after: Rule) -> Iterator[Note]:
    """What an edit changed, in sentences."""
    if describe(before) != describe(after):
        yield describe(after)
    known = [*terms(before), *((LOUD,) if before.quiet else ())]  # of those that ended it is said below
    yield from (term for term in terms(after) if term not in known)
    yield from (note for name, note in _ENDED.items() if getattr(before, name) and not getattr(after, name))
    if after.expires_at is not None and after.expires_at != before.expires_at:
        yield Note("It holds until {at}.", {"at": clock(after.expires_at)})


_ENDED: Mapping[str, Note] = {
    "hold_seconds": Note("it need not hold for a time any more"),
    "repeat_seconds": Note("no reminders any more"),
    "quiet": Note("no quiet hours any more"),
    "mention": Note("it calls nobody any more"),
}
"""What is said where an option is turned off."""


def _edited(details: Mapping[str, Any]) -> Iterator[Note]:
    return changes(load_rule(details["before"]), load_rule(details["after"]))


def _snoozed(details: Mapping[str, Any]) -> Iterator[Note]:
    yield Note("until {at}", {"at": clock(details["until"])})


def _stopped(details: Mapping[str, Any]) -> Iterator[Note]:
    yield Note("Nothing is sent any more: {reason}", {"reason": details["reason"]})


_DETAILS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Note]]] = {
    "edit": _edited,
    "snooze": _snoozed,
    STOPPED: _stopped,
}
