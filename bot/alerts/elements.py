"""What the cards about alerts share: times, buttons and the chart with its threshold."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.evidence import iso
from bot.alerts.descriptions import span
from bot.presentation.card import Action, Line, Lines
from bot.presentation.words import Words

SNOOZES = ("30m", "1h", "4h", "24h")
"""What the buttons offer."""


def clock(at: int) -> str:
    """A time as alerts tell it: they are read by people of many time zones."""
    return clock_of(iso(at))


def clock_of(at: str) -> str:
    """The same of a time that an answer holds."""
    return at[:16].replace("T", " ") + " UTC"


def snooze_actions(alert: str, words: Words, times: Sequence[str] = SNOOZES) -> tuple[Action, ...]:
    """A button for each time."""
    return tuple(Action(words("Snooze {time}", time=time), f"alert snooze {alert} {time}") for time in times)


def price_chart(
    title: str, label: str, points: Sequence[tuple[int, float | None]], threshold: float, seconds: int, words: Words
) -> tuple[Lines, ...]:
    """Prices of the last ``seconds`` with the threshold; nothing where fewer than two are known."""
    known = [price for _, price in points if price is not None]
    if len(known) < 2:
        return ()
    xs, ys = zip(*points, strict=True)
    alt = words(
        "{rule}; over {span}: lowest {low}, highest {high}, last {last}.",
        rule=title,
        span=words(span(seconds)),
        low=words.money(min(known)),
        high=words.money(max(known)),
        last=words.money(known[-1]),
    )
    lines = (
        Line(label, xs, ys, steps=True),
        Line(words("threshold"), (xs[0], xs[-1]), (threshold, threshold), "reference"),
    )
    return (Lines(title, alt, lines, scale=words("USD per GPU-hour")),)
