"""How a digest looks: one sentence, then short tables, for a telephone in the morning."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from analytics.answers.digest import Digest, ForecastTold
from analytics.answers.digest_prices import CHANGE, HOURLY_UP_TO, Cheap, Moved
from analytics.evidence import Note, Plural, seconds_of
from analytics.prices import DAY_HOURS
from bot.commands.card_notes import card_notes
from bot.commands.windows import DAY_NAMES
from bot.presentation.card import Card, Chart, Column, Line, Lines, Table
from bot.presentation.words import Words
from bot.zones import zone_or_utc

SHOWN = 5
"""Rows of each table; the answer has them all."""

NAMED = 3
"""Models that are named in a note (ours: one line); more are counted."""


def card(answer: Digest, words: Words) -> Card:
    """What matters first; what there is nothing of is left out or said in a note."""
    made = (
        _moved(answer, words),
        _cheap(answer, words),
        _alerts(answer, words),
        _forecasts(answer, words),
        _windows(answer, words),
    )
    return Card(
        words("Digest: {day} {date}", day=_day_of(answer.local_date, words), date=answer.local_date),
        words.lead(_lead(answer, words), answer.evidence),
        tuple(table for table in made if table is not None),
        notes=card_notes(answer.evidence, words, first=_notes(answer, words)),
        footer=words.footer(answer.evidence),
        charts=_charts(answer, words),
    )


def _day_of(date: str, words: Words) -> str:
    return words(DAY_NAMES[dt.date.fromisoformat(date).weekday()])


def _lead(answer: Digest, words: Words) -> str:
    """The one sentence that matters."""
    if answer.moved:
        return _weighed(answer, _moved_lead(answer, answer.moved[0], words), words)
    if answer.cheap:
        return _weighed(answer, _cheap_lead(answer, answer.cheap[0], words), words)
    if answer.alerts and answer.alerts.total:
        return words("Alerts that fired here in {span}: {n}", span=_span(answer, words), n=answer.alerts.total)
    if not answer.judged_changes and not answer.judged_months:
        return words("Nothing can be judged yet: {why}", why=answer.not_judged[0].why)
    text = Plural("Nothing unusual in {span}: {n} model", "Nothing unusual in {span}: {n} models")
    return words(text, n=answer.models, span=_span(answer, words))


def _weighed(answer: Digest, text: str, words: Words) -> str:
    """Some models move on most days: that alone is no news."""
    return text if answer.happened else words("Little news: {text}", text=text)


def _span(answer: Digest, words: Words) -> str:
    """How long the period is, in the unit that people use for it."""
    if answer.hours <= HOURLY_UP_TO:
        return words("{n} h", n=answer.hours)
    return words(Plural("{days} day", "{days} days", "days"), days=round(answer.hours / DAY_HOURS))


def _moved_lead(answer: Digest, first: Moved, words: Words) -> str:
    values = {
        "gpu": first.gpu_name,
        "change": words.percent(first.change_percent, signed=True),
        "price": words.money(first.price),
        "span": _span(answer, words),
        "usual": _usual(first, words),
        "n": len(answer.moved) - 1,
    }
    if len(answer.moved) == 1:
        return words("{gpu} moved {change} to {price} in {span}; usual: {usual}", **values)
    text = Plural(
        "{gpu} moved {change} to {price} in {span}; usual: {usual}; {n} more model moved",
        "{gpu} moved {change} to {price} in {span}; usual: {usual}; {n} more models moved",
    )
    return words(text, **values)


def _cheap_lead(answer: Digest, first: Cheap, words: Words) -> str:
    values = {
        "gpu": first.gpu_name,
        "price": words.money(first.price),
        "share": words.percent(first.share_percent),
        "n": len(answer.cheap) - 1,
    }
    if len(answer.cheap) == 1:
        return words("{gpu} is cheap at {price}: only {share} of its month was as low", **values)
    text = Plural(
        "{gpu} is cheap at {price}: only {share} of its month was as low; {n} more model is cheap",
        "{gpu} is cheap at {price}: only {share} of its month was as low; {n} more models are cheap",
    )
    return words(text, **values)


def _usual(moved: Moved, words: Words) -> str:
    low, high = (words.percent(share, signed=True) for share in (moved.usual_low_percent, moved.usual_high_percent))
    return words("{low} to {high}", low=low, high=high)


def _columns(words: Words, *titles: str) -> tuple[Column, ...]:
    """The first names its row, the others are figures."""
    return tuple(Column(words(title), "right" if n else "left") for n, title in enumerate(titles))


def _moved(answer: Digest, words: Words) -> Table | None:
    """The change stands beside the price: four columns of figures are wider than a telephone."""
    rows = tuple(
        (
            one.gpu_name,
            f"{words.money(one.price)} ({words.percent(one.change_percent, signed=True)})",
            f"{words.number(one.usual_low_percent, 1)}…{words.percent(one.usual_high_percent, signed=True)}",
        )
        for one in answer.moved[:SHOWN]
    )
    if not rows:
        return None
    days = min(one.days for one in answer.moved[:SHOWN])
    text = "Moved in {span}; usual: 95% of earlier changes, days of them: {days} or more"
    caption = words(text, span=_span(answer, words), days=days)
    return Table(caption, _columns(words, "GPU", "price", "usual"), rows)


def _cheap(answer: Digest, words: Words) -> Table | None:
    rows = tuple(
        (one.gpu_name, words.money(one.price), words.money(one.usual_price), words.percent(one.share_percent))
        for one in answer.cheap[:SHOWN]
    )
    if not rows:
        return None
    hours = min(one.hours for one in answer.cheap[:SHOWN])
    caption = words("Cheap against 30 days; as low: share of the hours ({hours} or more)", hours=hours)
    return Table(caption, _columns(words, "GPU", "price", "median", "as low"), rows)


def _alerts(answer: Digest, words: Words) -> Table | None:
    """The rule last: it is the longest."""
    if not answer.alerts or not answer.alerts.alerts:
        return None
    columns = tuple(Column(words(title)) for title in ("when", "value", "rule"))
    rows = tuple(
        (_clock(one.at, answer, words), _said(one.value, words), words(one.rule))
        for one in answer.alerts.alerts[:SHOWN]
    )
    caption = words("Alerts that fired here ({zone})", zone=answer.timezone)
    return Table(caption, columns, rows)


def _said(value: Note | str, words: Words) -> str:
    return words(value) if isinstance(value, Note) else value


def _clock(at: str, answer: Digest, words: Words) -> str:
    """A time on the reader's clock."""
    then = dt.datetime.fromisoformat(at).astimezone(zone_or_utc(answer.timezone))
    return f"{words(DAY_NAMES[then.weekday()])} {then:%H:%M}"


def _forecasts(answer: Digest, words: Words) -> Table | None:
    found = answer.forecasts
    told = [one for one in (found.best, found.worst) if one is not None]
    if not told:
        return None
    text = "Forecasts that came due: {n}; within their 80% range: {within} of {ranged}; {order}"
    order = _ORDERS[found.best is not None, found.worst is not None]
    caption = words(text, n=found.scored, within=found.within_80, ranged=found.ranged, order=words(order))
    rows = tuple(_forecast(one, words) for one in told)
    return Table(caption, _columns(words, "GPU", "ahead", "said", "was"), rows)


_ORDERS = {
    (True, True): "the closest, then the furthest off",
    (True, False): "the closest",
    (False, True): "the furthest off",
}
"""Which forecasts the rows are of, by whether there is a best and a worst."""


def _forecast(one: ForecastTold, words: Words) -> tuple[str, ...]:
    return one.gpu_name, f"{one.horizon_hours} h", words.money(one.said), words.money(one.was)


def _windows(answer: Digest, words: Words) -> Table | None:
    rows = tuple(
        (
            one.gpu_name,
            f"{_hour(one.start)}–{_hour(one.end)}",
            words("{percent} less", percent=words.percent(one.less_percent, 0)),
        )
        for one in answer.windows.windows[:SHOWN]
    )
    day = _day_of(answer.windows.day, words)
    caption = words("Safe windows that begin on {day} ({zone})", day=day, zone=answer.timezone)
    return Table(caption, _columns(words, "GPU", "when", "interrupted"), rows) if rows else None


def _hour(at: str) -> str:
    return f"{dt.datetime.fromisoformat(at):%H:%M}"


def _notes(answer: Digest, words: Words) -> Sequence[str]:
    """How much more there is, and what cannot be told."""
    fired = answer.alerts.total - len(answer.alerts.alerts[:SHOWN]) if answer.alerts else 0
    more = (
        ("more that moved: {n}", len(answer.moved) - SHOWN),
        ("more that are cheap: {n}", len(answer.cheap) - SHOWN),
        ("more alerts that fired: {n}", fired),
        ("more safe windows: {n}", len(answer.windows.windows) - SHOWN),
    )
    notes = [words(text, n=n) for text, n in more if n > 0]
    notes += _not_judged(answer, words)
    if answer.forecasts.best is answer.forecasts.worst is None:
        notes.append(_no_forecasts(answer, words))
    if answer.windows.why is not None:
        notes.append(words(answer.windows.why))
    return notes


def _not_judged(answer: Digest, words: Words) -> list[str]:
    """Which models are left out and why, and when they will not be where that is known."""
    by_reason: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for one in answer.not_judged:
        if one.what == CHANGE:
            by_reason[words(one.why), one.ready_at].append(one.gpu_name)
    return [_left_out(why, ready, gpus, answer, words) for (why, ready), gpus in by_reason.items()]


def _left_out(why: str, ready_at: str | None, gpus: Sequence[str], answer: Digest, words: Words) -> str:
    named = [*gpus[:NAMED], *([f"+{len(gpus) - NAMED}"] if len(gpus) > NAMED else [])]
    if ready_at is None:
        return words("not compared: {gpus} ({why})", gpus=named, why=why)
    ready = dt.datetime.fromisoformat(ready_at).astimezone(zone_or_utc(answer.timezone)).date().isoformat()
    return words("not compared before {date}: {gpus} ({why})", gpus=named, why=why, date=ready)


def _no_forecasts(answer: Digest, words: Words) -> str:
    if answer.forecasts.why is not None:
        return words(answer.forecasts.why)
    return words("forecasts that came due: {n}; no price moved, and all said so", n=answer.forecasts.scored)


def _charts(answer: Digest, words: Words) -> tuple[Chart, ...]:
    """The week of the model that moved most, or is cheapest; none where fewer than two of its hours are known."""
    known = [one.price for one in answer.past if one.price is not None]
    if answer.shown_gpu is None or len(known) < 2:
        return ()
    xs, ys = (tuple(seconds_of(one.at) for one in answer.past), tuple(one.price for one in answer.past))
    title = words("{gpu}: the last 7 days", gpu=answer.shown_gpu)
    alt = words(
        "{gpu}, USD per GPU-hour over the last 7 days: lowest {low}, highest {high}, last {last}; hours without a "
        "price: {gaps}.",
        gpu=answer.shown_gpu,
        low=words.money(min(known)),
        high=words.money(max(known)),
        last=words.money(known[-1]),
        gaps=len(ys) - len(known),
    )
    lines = [Line(words("median price"), xs, ys)]
    usual = next((one.usual_price for one in answer.cheap if one.gpu_name == answer.shown_gpu), None)
    if usual is not None:
        lines.append(Line(words("median of 30 days"), (xs[0], xs[-1]), (usual, usual), "reference"))
    return (Lines(title, alt, tuple(lines), scale=words("USD per GPU-hour")),)
