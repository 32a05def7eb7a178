"""``predict`` (Q4): the stored forecasts of a model, their record, and whether to start now."""

from __future__ import annotations

from analytics.forecasting import Point, Prediction, prediction
from analytics.market import HOUR
from bot.commands.base import Command, Desk, Param
from bot.show.card import Card, Column, Spark, Table
from bot.show.words import Words

ADVICE_HOURS = 37 * 24
"""History behind the advice: 30 days of past cases and the 7-day median before the first."""


async def ask(desk: Desk, *, gpu_name: str) -> Prediction:
    """Read what the hourly run stored; nothing is computed here but the advice."""
    quote = (await desk.reader.quotes([gpu_name])).get(gpu_name)
    hours = await desk.reader.hours([gpu_name], desk.now // HOUR - ADVICE_HOURS)
    basis = await desk.basis([gpu_name], offers=quote.offers if quote else 0)
    forecasts = await desk.reader.forecasts(gpu_name)
    track = await desk.reader.track_record(gpu_name)
    return prediction(gpu_name, basis, quote, forecasts, track, hours.get(gpu_name, ()))


def card(answer: Prediction, words: Words) -> Card:
    """What to do, the three horizons, and how far such forecasts can be trusted."""
    columns = (
        Column(words("in")),
        Column(words("price"), "right"),
        Column("80 %", "right"),
        Column(words("within ±5 %"), "right"),
    )
    rows = tuple(_cells(key, point, words) for key, point in answer.predictions.items())
    notes = [_record(answer, words), *(words(note) for note in answer.evidence.caveats)]
    lead = words(
        "{gpu} {price} now. {advice}",
        gpu=answer.gpu_name,
        price=words.money(answer.current_price),
        advice=answer.recommendation,
    )
    return Card(
        title=words("Price forecast: {gpu}", gpu=answer.gpu_name),
        lead=lead,
        tables=(Table(words("Forecast, USD per GPU-hour"), columns, rows),),
        sparks=(Spark(words("last 48 h"), answer.history),),
        notes=tuple(note for note in notes if note),
        footer=words.footer(answer.evidence),
    )


def _cells(key: str, point: Point, words: Words) -> tuple[str, ...]:
    band = "–" if point.low_80 is None else f"{words.money(point.low_80)}–{words.money(point.high_80)}"
    hours = key.removeprefix("next_").removesuffix("h")
    return f"{hours} h", words.money(point.price), band, words.share(point.confidence)


def _record(answer: Prediction, words: Words) -> str:
    if answer.model_accuracy is None:
        return ""
    text = "Forecasts like this landed within ±5 % in {hit} of {n} cases; “no change” in {baseline}."
    hit, baseline = words.share(answer.model_accuracy), words.share(answer.baseline_accuracy)
    return words(text, hit=hit, n=answer.n_scored, baseline=baseline)


COMMAND = Command(
    name="predict",
    summary="Price in 1, 6 and 24 hours, how sure that is, and whether to start now",
    path="/api/spot/prediction/{gpu_name}",
    params=(Param("gpu_name", "gpu", "the model", required=True),),
    ask=ask,
    card=card,
    examples=("predict RTX 4090", "predict h100 sxm"),
)
