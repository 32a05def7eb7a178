"""How dashboards look: the conclusion, one short table, one chart; on a telephone at most a screen and a half."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analytics.answers.savings import DEFAULT_HOURS
from analytics.errors import AskError
from analytics.forecasting.forecasts import Prediction
from analytics.interruptions.estimator import InterruptionRates, ModelRate
from analytics.prices import Monitor, PriceTrend
from bot.commands import history, interruptions, monitor, predict, reliability, savings, windows
from bot.presentation.card import Card, Column, Table
from bot.presentation.error_cards import error_card
from bot.presentation.words import Words
from bot.schedules.specs import View

SHOWN = 5
"""Rows of the table (ours: with the chart that fills a telephone's screen)."""

SHOWN_NOTES = 3
"""Notes of a dashboard; the answers themselves have all."""

ARROWS: Mapping[str | None, str] = {"increasing": " ↑", "decreasing": " ↓"}
"""Marks of a price that moves beyond its usual range."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was answered for a dashboard: by verb an answer or why there is none for each of ``models`` asked of."""

    answers: Mapping[str, Sequence[Any | AskError]]
    models: tuple[str, ...]
    zone: str

    def first(self, verb: str) -> Any | AskError | None:
        """The answer of the first model, or of all; None where nothing could be asked."""
        return next(iter(self.answers.get(verb, ())), None)

    def known(self, verb: str) -> Any | None:
        """The same, None where there is no answer."""
        found = self.first(verb)
        return None if isinstance(found, AskError) else found


def _card(found: Any | AskError | None, show: Callable[[Any, Words], Card], words: Words) -> Card:
    """The card of an answer, or why there is none."""
    if found is None:
        return Card("", words("No price is stored yet."))
    return error_card(found, words) if isinstance(found, AskError) else show(found, words)


def _columns(words: Words, *titles: str) -> tuple[Column, ...]:
    return tuple(Column(words(title), "right" if n else "left") for n, title in enumerate(titles))


def _market(found: Found, words: Words) -> Card:
    """What moves, then the others, the busiest first."""
    board, past = found.known("monitor"), _card(found.first("history"), history.card, words)
    if not isinstance(board, Monitor):
        return replace(_card(found.first("monitor"), monitor.card, words), charts=past.charts, sparks=past.sparks)
    all_of_it = replace(board, limit=len(board.price_trends))  # so that the lead is of all
    rows = sorted(board.price_trends, key=lambda one: -abs(one.change_percent or 0) if one.trend in ARROWS else 1)
    caption = words("Spot prices, USD per GPU-hour; ↑ ↓: moved beyond the usual")
    table = Table(caption, _columns(words, "GPU", "price", "in 24 h", "floor"), _rows(rows, _price_cells, words))
    card = monitor.card(all_of_it, words)
    more = _more(len(rows), "monitor", words)
    return replace(card, tables=(table,), notes=(*more, *card.notes), charts=past.charts, sparks=past.sparks)


def _price_cells(one: PriceTrend, words: Words) -> tuple[str, ...]:
    return (
        one.gpu_name + (f" ({words('stale')})" if one.stale else ""),
        words.money(one.current_price),
        words.percent(one.change_percent, signed=True) + ARROWS.get(one.trend, ""),
        words.money(one.floor_price),
    )


def _rows(some: Sequence[Any], cells: Callable[[Any, Words], tuple[str, ...]], words: Words) -> tuple[Any, ...]:
    return tuple(cells(one, words) for one in some[:SHOWN])


def _more(models: int, verb: str, words: Words) -> tuple[str, ...]:
    """Where the models are that have no row."""
    left = models - SHOWN
    return (words("models beyond these: {n}; {command} shows them", n=left, command=verb),) if left > 0 else ()


def _reliability(found: Found, words: Words) -> Card:
    """The safest models and the least safe one, and the week of the first, or how long its tenants last."""
    rates, week = found.known("interruptions"), found.known("windows")
    card = _card(found.first("interruptions"), interruptions.card, words)
    if isinstance(rates, InterruptionRates):
        caption = words(
            "Market-implied interruptions, last {period}: how many a day of running, and the time between them",
            period=rates.period,
        )
        columns = _columns(words, "GPU", "a day", "between")
        shown = interruptions.shown(rates, SHOWN)
        more = _more(len(rates.gpus), "interruptions", words)
        card = replace(card, tables=(Table(caption, columns, _rows(shown, _rate_cells, words)),))
        card = replace(card, notes=(*more, *(words(note) for note in rates.evidence.caveats if not note.usual)))
    hours = _card(found.first("windows"), windows.card, words)
    charts = hours.charts or _card(found.first("reliability"), reliability.card, words).charts
    if week is None:
        return replace(card, notes=(hours.lead, *card.notes), charts=charts)
    text = words("{gpu}, safe hours ({zone}): {text}", gpu=week.gpu_name, zone=found.zone, text=hours.lead)
    return replace(card, notes=(text, *card.notes), charts=charts)


def _rate_cells(one: ModelRate, words: Words) -> tuple[str, ...]:
    return one.gpu_name, words.number(one.interruption_rate_per_day, 2), interruptions.between(one, words)


def _cost(found: Found, words: Words) -> Card:
    """Whether to start now; of one model its forecast, of several what each costs now, tomorrow and elsewhere."""
    ahead = _card(found.first("predict"), predict.card, words)
    against = _card(found.first("savings"), savings.card, words)
    first = next(iter(found.models), "")
    text = words("{gpu} for {hours} h: {text}", gpu=first, hours=words.number(DEFAULT_HOURS), text=against.lead)
    prediction = found.known("predict")
    record = predict.record(prediction, words) if isinstance(prediction, Prediction) else ""
    tables = tuple(map(_narrow, ahead.tables)) if len(found.models) == 1 else _costs(found, words)
    notes = (text if found.models else "", record)
    return replace(ahead, tables=tables, notes=notes, charts=ahead.charts[:1])


def _narrow(table: Table) -> Table:
    """A forecast with its price and range."""
    return replace(table, columns=table.columns[:3], rows=tuple(row[:3] for row in table.rows))


def _costs(found: Found, words: Words) -> tuple[Table, ...]:
    columns = _columns(words, "GPU", "price", "in 24 h", "saved")
    each = zip(found.models, found.answers.get("predict", ()), found.answers.get("savings", ()), strict=True)
    rows = tuple(_cost_cells(gpu, ahead, against, words) for gpu, ahead, against in each)
    caption = words("USD per GPU-hour; in 24 h: the forecast; saved: against AWS for the same work")
    return (Table(caption, columns, rows[:SHOWN]),) if rows else ()


def _cost_cells(gpu: str, ahead: Any, against: Any, words: Words) -> tuple[str, ...]:
    point = None if isinstance(ahead, AskError) else ahead.predictions.get("next_24h")
    known = not isinstance(against, AskError)
    return (
        gpu,
        words.money(against.price_per_hour if known else None),
        words.money(None if point is None else point.price),
        words.percent(against.savings_percent_same_work if known else None, 0),
    )


_SHOWN: Mapping[View, Callable[[Found, Words], Card]] = {
    "market": _market,
    "reliability": _reliability,
    "cost": _cost,
}


def card(view: View, found: Found, words: Words) -> Card:
    """A dashboard without its title and rhythm."""
    shown = _SHOWN[view](found, words)
    notes = tuple(dict.fromkeys(note for note in shown.notes if note))[:SHOWN_NOTES]
    return replace(shown, notes=notes, commands=(), actions=())
