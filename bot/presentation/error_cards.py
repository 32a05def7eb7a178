"""Errors as words: the sentences and the card that say what is wrong and what to do."""

from __future__ import annotations

from analytics.errors import AskError, NotYet
from analytics.evidence import iso
from bot.presentation.card import Action, Card
from bot.presentation.words import Words

SUGGESTED = 8
"""Suggestions shown at most; a line of chat holds no more."""


def error_lines(error: AskError, words: Words) -> list[str]:
    """An error as sentences: what is wrong, what is there, what is needed, when it will do, what to try."""
    lines = [words(error.note)]
    if isinstance(error, NotYet):
        lines += [words("There is: {have}", have=error.have), words("Needed: {need}", need=error.need)]
        if error.ready_at is not None:
            lines.append(words("It will do at {at} if polling goes on.", at=iso(error.ready_at)))
    lines += [words(remark) for remark in error.remarks]
    if error.suggestions:
        lines.append(words("Try: {suggestions}", suggestions=", ".join(error.suggestions[:SUGGESTED])))
    return lines


def error_card(error: AskError, words: Words) -> Card:
    """The same as a card, with what can be asked instead as buttons."""
    title = words("Not enough data yet") if isinstance(error, NotYet) else words("That cannot be answered")
    first, *rest = error_lines(error, words)
    instead = tuple(Action(label, line) for label, line in error.instead.items())
    return Card(title, first, notes=tuple(rest), actions=instead)


def fault_card(identity: str, words: Words) -> Card:
    """What a person sees of a fault of ours: that it is one, and the id under which it is logged."""
    return Card(
        words("Something went wrong on our side"),
        words("Your question is fine; the answer failed. It is logged as {id}.", id=identity),
        notes=(words("Please try again in a minute; if it goes on, tell whoever runs spotbot this id."),),
    )


def busy_card(words: Words) -> Card:
    """What a person sees while the database cannot be written or read."""
    return Card(
        words("The database is busy"),
        words("Nothing was changed. Please try again in a minute."),
    )


def slow_card(words: Words) -> Card:
    """What a person sees when an answer takes too long."""
    return Card(
        words("That takes too long"),
        words("The answer was given up. Please ask for less, or try again in a minute."),
    )
