"""``predict`` (Q4): the stored forecasts of a model, their record, and whether to start now."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.evidence import Plural, seconds_of
from analytics.forecasting.forecasts import Point, Prediction, prediction
from analytics.market import HOUR
from bot.commands.card_notes import card_notes
from bot.commands.offers_now import each_model, with_offers
from bot.dispatch.command import Command, Param, QueryContext
from bot.extras import told_where_forecasts_are_off
from bot.presentation.card import Band, Card, Chart, Column, Line, Lines, Spark, Table
from bot.presentation.words import Words

ADVICE_HOURS = 37 * 24
"""History behind the advice: 30 days of past cases and the 7-day median before the first."""

CHART_HOURS = 72
"""Past hours of the chart: a whole week would leave the coming day too narrow to be read."""


async def ask(query: QueryContext, *, gpu_name: str) -> Prediction:
    """Read what the hourly run stored; nothing is computed here but the advice."""
    quotes, basis = await query.priced([gpu_name])
    hours = await query.reader.hours([gpu_name], query.now // HOUR - ADVICE_HOURS)
    forecasts = await query.reader.forecasts(gpu_name)
    track = await query.reader.track_record(gpu_name)
    with told_where_forecasts_are_off():
        return prediction(gpu_name, basis, quotes.get(gpu_name), forecasts, track, hours.get(gpu_name, ()))


def card(answer: Prediction, words: Words) -> Card:
    """What to do, the three horizons, and how far such forecasts can be trusted."""
    columns = (
        Column(words("in")),
        Column(words("price"), "right"),
        Column("80%", "right"),
        Column(words("within ±5%"), "right"),
    )
    rows = tuple(_cells(key, point, words) for key, point in answer.predictions.items())
    track = record(answer, words)
    lead = words(
        "{gpu} {price}. {advice}",
        gpu=answer.gpu_name,
        price=words.money(answer.current_price),
        advice=answer.recommendation,
    )
    return Card(
        title=words("Price forecast: {gpu}", gpu=answer.gpu_name),
        lead=words.lead(lead, answer.evidence),
        tables=(Table(words("Forecast, USD per GPU-hour"), columns, rows),),
        sparks=(Spark(words("last 48 h"), answer.history),),
        notes=card_notes(answer.evidence, words, own=(track,) if track else ()),
        footer=words.footer(answer.evidence),
        charts=_charts(answer, words),
    )


def _charts(answer: Prediction, words: Words) -> tuple[Chart, ...]:
    """The fan: prices as they were, then the forecasts with their range."""
    as_of = seconds_of(answer.evidence.as_of or answer.issued_at)
    past = [(seconds_of(hour.at), hour.price) for hour in answer.past[-CHART_HOURS:]]
    xs, ys = zip(*[(at, price) for at, price in past if at < as_of], (as_of, answer.current_price), strict=True)
    coming = [
        (seconds_of(point.target_at), point.price, point.low_80, point.high_80) for point in answer.predictions.values()
    ]
    if as_of < coming[0][0]:  # forecasts start from the price shown, unless it is older than they reach
        coming.insert(0, (as_of, answer.current_price, answer.current_price, answer.current_price))
    at, prices, lows, highs = zip(*coming, strict=True)
    bands = (
        (Band(words("80% range"), at, lows, highs, "forecast"),) if answer.predictions and lows[-1] is not None else ()
    )
    chart = Lines(
        title=words("Price forecast: {gpu}", gpu=answer.gpu_name),
        alt=_alt(answer, [y for y in ys if y is not None], words),
        lines=(Line(words("hourly price"), xs, ys, "past"), Line(words("forecast"), at, prices, "forecast")),
        bands=bands,
        scale=words("USD per GPU-hour"),
        now=None if answer.evidence.stale else float(as_of),
    )
    return (chart,)


WITHOUT_RANGE = Plural(
    "Forecast for {hours} hour later: {price}, its range is not known yet.",
    "Forecast for {hours} hours later: {price}, its range is not known yet.",
    "hours",
)
WITH_RANGE = Plural(
    "Forecast for {hours} hour later: {price}, with 80% between {low} and {high}.",
    "Forecast for {hours} hours later: {price}, with 80% between {low} and {high}.",
    "hours",
)
"""The end of a forecast, in words."""


def _alt(answer: Prediction, prices: Sequence[float], words: Words) -> str:
    key, last = list(answer.predictions.items())[-1]
    past = words(
        Plural(
            "{gpu}, USD per GPU-hour: {low} to {high} in the last {n} hour, last {price}.",
            "{gpu}, USD per GPU-hour: {low} to {high} in the last {n} hours, last {price}.",
        ),
        gpu=answer.gpu_name,
        low=words.money(min(prices, default=None)),
        high=words.money(max(prices, default=None)),
        n=CHART_HOURS,
        price=words.money(answer.current_price),
    )
    values = {"hours": int(key.removeprefix("next_").removesuffix("h")), "price": words.money(last.price)}
    if last.low_80 is None:
        return f"{past} {words(WITHOUT_RANGE, **values)}"
    values |= {"low": words.money(last.low_80), "high": words.money(last.high_80)}
    return f"{past} {words(WITH_RANGE, **values)}"


def _cells(key: str, point: Point, words: Words) -> tuple[str, ...]:
    band = "–" if point.low_80 is None else f"{words.money(point.low_80)}–{words.money(point.high_80)}"
    hours = key.removeprefix("next_").removesuffix("h")
    return f"{hours} h", words.money(point.price), band, words.share(point.confidence)


def record(answer: Prediction, words: Words) -> str:
    """How often such forecasts were right; empty where that is not known."""
    if answer.model_accuracy is None:
        return ""
    text = Plural(
        "Forecasts like this landed within ±5% in {hit} of {n} case; “no change” in {baseline}.",
        "Forecasts like this landed within ±5% in {hit} of {n} cases; “no change” in {baseline}.",
    )
    hit, baseline = words.share(answer.model_accuracy), words.share(answer.baseline_accuracy)
    return words(text, hit=hit, n=answer.n_scored, baseline=baseline)


COMMAND = with_offers(
    Command(
        name="predict",
        summary="Price in 1, 6 and 24 hours, how sure that is, and whether to start now",
        path="/api/spot/prediction/{gpu_name}",
        params=(Param("gpu_name", "gpu", "the model", required=True, aliases=("gpu", "model")),),
        ask=ask,
        card=card,
        examples=("predict RTX 4090", "predict h100 sxm"),
        role="member",
        prices_do=True,
    ),
    lambda answer, given: each_model([answer.gpu_name]),
)
