"""``accuracy``: how the forecasts fared, for all to see."""

from __future__ import annotations

from analytics.answers.accuracy import (
    LIVE,
    Accuracy,
    ExpertWeight,
    HorizonAccuracy,
    ReliabilityBin,
    SeriesAccuracy,
    accuracy,
    said_and_met,
)
from analytics.evidence import Note, Plural
from analytics.forecasting.track_record import MIN_SCORED
from analytics.market import DAY, WORLD
from bot.commands.card_notes import card_notes
from bot.commands.offers_now import each_model, with_offers
from bot.dispatch.command import Command, Param, QueryContext
from bot.extras import told_where_forecasts_are_off
from bot.presentation.card import Card, Chart, Column, Line, Lines, Table
from bot.presentation.words import Words

HEADLINE_H = 6
"""The horizon that the first line and the ranking of models are of."""

ENDS = 5
"""Series that the card shows from either end of the ranking; the JSON has them all."""

EXPERTS = 4
"""Forecasters shown of a horizon."""

BINS = 10
"""Rows of the table of confidences: tenths of what was said."""


async def ask(query: QueryContext, *, gpu_name: str | None = None) -> Accuracy:
    """Read what the hourly run stored; nothing is computed here."""
    rows = [row for row in await query.reader.models() if row.priced_at is not None and gpu_name in (None, row.name)]
    basis = query.basis_of_prices(rows, offers=await query.offers_of([row.name for row in rows]))
    reports = await query.reader.accuracy()
    with told_where_forecasts_are_off():
        return accuracy(reports, basis, gpu_name)


def card(answer: Accuracy, words: Words) -> Card:
    """One sentence, then by horizon, series, confidence and forecaster, and what advice and windows were worth."""
    tables = (
        _horizons(answer, words),
        _series(answer, words),
        _confidences(answer, words),
        _experts(answer, words),
        _others(answer, words),
    )
    title = words("Accuracy of the forecasts")
    if answer.gpu_name:
        title = words("Accuracy of the forecasts: {gpu}", gpu=answer.gpu_name)
    return Card(
        title,
        words.lead(_lead(answer, words), answer.evidence),
        tuple(table for table in tables if table.rows),
        (),
        card_notes(answer.evidence, words, own=_left_out(answer, words), usual=(answer.evidence.method,)),
        words.footer(answer.evidence),
        _charts(answer, words),
    )


def _lead(answer: Accuracy, words: Words) -> str:
    """How much closer than "no change", and how often the range held; of one model, by its series of the world."""
    hours, shown = _headline(answer)
    days = max(1, round((answer.until - answer.since) / DAY))
    when = Plural("In the last {n} day", "In the last {n} days")
    if answer.source != LIVE:
        when = Plural("In a backtest over {n} day", "In a backtest over {n} days")
    values = {
        "when": Note(when, {"n": days}),
        "what": _what(answer.gpu_name, hours),
        "how": _how(shown, words),
        "cases": Note(Plural("{n} case", "{n} cases"), {"n": shown.n}),
    }
    if shown.coverage_80 is None:
        return words("{when}, {what} were {how} in {cases}; their 80% ranges are not known yet.", **values)
    held = words.share(shown.coverage_80)
    return words("{when}, {what} were {how}; their 80% ranges held in {held} of {cases}.", held=held, **values)


def _headline(answer: Accuracy) -> tuple[int, HorizonAccuracy | SeriesAccuracy]:
    """The figures that the first line tells, with their horizon."""
    if answer.gpu_name is None:
        scored = [int(hours) for hours, row in answer.overall.items() if row.n]
        hours = min(scored, key=lambda hours: abs(hours - HEADLINE_H))
        return hours, answer.overall[str(hours)]
    row = min(answer.series, key=lambda row: (row.region != WORLD, abs(row.horizon_hours - HEADLINE_H)))
    return row.horizon_hours, row


def _what(gpu: str | None, hours: int) -> Note:
    if gpu is None:
        return Note("forecasts of the price in {hours} h", {"hours": hours})
    return Note("forecasts of the price of {gpu} in {hours} h", {"gpu": gpu, "hours": hours})


def _how(shown: HorizonAccuracy | SeriesAccuracy, words: Words) -> Note:
    if shown.ratio is None:
        if isinstance(shown, SeriesAccuracy) and shown.mae:
            return Note("further off than “no change”, since no price moved")
        return Note("as good as “no change”, since no price moved")
    percent = round(100 * (1 - shown.ratio))
    if percent == 0:
        return Note("no better than “no change”")
    text = "{percent} closer than “no change”" if percent > 0 else "{percent} further off than “no change”"
    return Note(text, {"percent": words.percent(abs(percent), 0)})


def _against(ratio: float | None, words: Words) -> str:
    """A ratio as the change against "no change"."""
    return words.percent(None if ratio is None else 100 * (ratio - 1), signed=True)


def _horizons(answer: Accuracy, words: Words) -> Table:
    columns = (
        Column(words("in")),
        Column(words("cases"), "right"),
        Column(words("error against “no change”"), "right"),
        Column(words("80% range held"), "right"),
        Column(words("its width"), "right"),
        Column(words("±5% said"), "right"),
        Column(words("±5% met"), "right"),
    )
    rows = tuple(_horizon(hours, answer.overall[hours], words) for hours in sorted(answer.overall, key=int))
    return Table(words("All models, by hours ahead"), columns, rows)


def _horizon(hours: str, row: HorizonAccuracy, words: Words) -> tuple[str, ...]:
    said, met = said_and_met(row.reliability) or (None, None)
    return (
        f"{hours} h",
        words.number(row.n, 0),
        _against(row.ratio, words),
        words.share(row.coverage_80),
        words.percent(row.width_80_percent),
        words.share(said),
        words.share(met),
    )


def _series(answer: Accuracy, words: Words) -> Table:
    """Of one model every series, else those at the headline's horizon from the best to the worst."""
    columns = (
        Column(words("GPU")),
        Column(words("region")),
        Column(words("in"), "right"),
        Column(words("cases"), "right"),
        Column(words("error against “no change”"), "right"),
        Column(words("80% range held"), "right"),
        Column(words("within ±5%"), "right"),
        Column(words("beyond last value"), "right"),
    )
    caption = words("Series, the best against “no change” first; how often something beyond the last value was served")
    return Table(caption, columns, tuple(_series_row(row, words) for row in _shown(answer)))


def _ranked(answer: Accuracy) -> list[SeriesAccuracy]:
    hours = _headline(answer)[0]
    rows = [row for row in answer.series if answer.gpu_name or row.horizon_hours == hours]
    return sorted(rows, key=lambda row: (not _tells(row), row.ratio is None, row.ratio or 0.0))


def _tells(row: SeriesAccuracy) -> bool:
    """Whether its place in the ranking is more than chance: it moved, and was scored often enough."""
    return row.ratio is not None and row.n >= MIN_SCORED


def _shown(answer: Accuracy) -> list[SeriesAccuracy]:
    """Both ends of the ranking; series that tell nothing only where there is room."""
    rows = _ranked(answer)
    telling = [row for row in rows if _tells(row)]
    return rows[: 2 * ENDS] if len(telling) <= 2 * ENDS else [*telling[:ENDS], *telling[-ENDS:]]


def _left_out(answer: Accuracy, words: Words) -> list[str]:
    left = len(_ranked(answer)) - len(_shown(answer))
    return [words("series that are not shown here: {n}", n=left)] if left else []


def _series_row(row: SeriesAccuracy, words: Words) -> tuple[str, ...]:
    return (
        row.gpu,
        row.region or words("all regions"),
        f"{row.horizon_hours} h",
        words.number(row.n, 0),
        _against(row.ratio, words),
        words.share(row.coverage_80),
        words.share(row.hit_5_percent),
        words.share(row.served),
    )


def _bin(one: ReliabilityBin) -> int:
    return min(BINS - 1, int(one.said * BINS))


def _confidences(answer: Accuracy, words: Words) -> Table:
    """The figures of the diagram: what was met of each tenth that was said."""
    hours = sorted(answer.overall, key=int)
    met = {(_bin(one), h): one for h in hours for one in answer.overall[h].reliability}
    columns = (Column(words("±5% said")), *(Column(words("met in {hours} h", hours=h), "right") for h in hours))
    rows = tuple(
        (_tenth(n, words), *(_met(met.get((n, h)), words) for h in hours))
        for n in sorted({n for n, _ in met}, reverse=True)
    )
    return Table(words("Confidence said and met (cases)"), columns, rows)


def _tenth(n: int, words: Words) -> str:
    return f"{words.share(n / BINS)}–{words.share((n + 1) / BINS)}"


def _met(one: ReliabilityBin | None, words: Words) -> str:
    return "–" if one is None else f"{words.share(one.met)} ({words.number(one.n, 0)})"


def _experts(answer: Accuracy, words: Words) -> Table:
    columns = (
        Column(words("in")),
        Column(words("forecaster")),
        Column(words("weight"), "right"),
        Column(words("error against “no change”"), "right"),
    )
    rows = tuple(
        _expert(hours, one, words)
        for hours in sorted(answer.experts, key=int)
        for one in answer.experts[hours][:EXPERTS]
    )
    return Table(words("What the forecasts are made of, the heaviest first"), columns, rows)


def _expert(hours: str, one: ExpertWeight, words: Words) -> tuple[str, ...]:
    name = words(one.name.replace("_", " "))
    return f"{hours} h", name, words.share(one.weight), _against(one.ratio, words)


def _others(answer: Accuracy, words: Words) -> Table:
    """What advice and safe windows were worth."""
    columns = (Column(words("also")), Column(words("how many"), "right"), Column(words("what it was worth")))
    found = (_advice(answer, words), _windows(answer, words))
    return Table(words("Advice and safe windows"), columns, tuple(row for row in found if row))


def _advice(answer: Accuracy, words: Words) -> tuple[str, ...]:
    advice = answer.advice
    if advice is None or advice.saved_percent is None:
        return ()
    worth = words(
        "saved {saved} of the price, {most} at best; waits that lost: {lost}",
        saved=words.percent(advice.saved_percent, 2),
        most=words.percent(advice.oracle_percent, 2),
        lost=words.percent(advice.wrong_waits_percent, 0),
    )
    return words("advice to wait"), f"{words.number(advice.waits, 0)}/{words.number(advice.n, 0)}", worth


def _windows(answer: Accuracy, words: Words) -> tuple[str, ...]:
    windows = answer.windows
    if windows is None:
        return ()
    worth = words("too early to tell")
    if windows.claimed_risk is not None and windows.met_risk is not None:
        worth = words(
            "risk over the average hour's: said {claimed}, met {met}; skill {skill}",
            claimed=words.share(windows.claimed_risk),
            met=words.share(windows.met_risk),
            skill=words.percent(windows.skill_percent),
        )
    return words("models with safe windows"), f"{windows.published}/{windows.models}", worth


def _charts(answer: Accuracy, words: Words) -> tuple[Chart, ...]:
    """The reliability diagram: a line a horizon, beside the diagonal on which all that was said came true."""
    lines = tuple(
        Line(
            words("in {hours} h", hours=hours),
            tuple(one.said for one in _drawn(row)),
            tuple(one.met for one in _drawn(row)),
        )
        for hours, row in sorted(answer.overall.items(), key=lambda pair: int(pair[0]))
        if _drawn(row)
    )
    if not lines:
        return ()
    chart = Lines(
        title=words("Confidence: said and met"),
        alt=_alt(answer, words),
        lines=(*lines, Line(words("as said"), (0.0, 1.0), (0.0, 1.0), role="reference")),
        x="share",
        unit="share",
        scale=words("share within ±5%: met (upwards) by said (across)"),
    )
    return (chart,)


def _drawn(row: HorizonAccuracy) -> list[ReliabilityBin]:
    """The bins with enough cases for a point; the table has them all."""
    return [one for one in row.reliability if one.n >= MIN_SCORED]


def _alt(answer: Accuracy, words: Words) -> str:
    told = [
        words(
            "{hours} h: said {said}, met {met}, from {low} said ({low_met} met) to {high} said ({high_met} met)",
            hours=hours,
            said=words.share(mean[0], 1),
            met=words.share(mean[1], 1),
            low=words.share(drawn[0].said),
            low_met=words.share(drawn[0].met),
            high=words.share(drawn[-1].said),
            high_met=words.share(drawn[-1].met),
        )
        for hours, row in sorted(answer.overall.items(), key=lambda pair: int(pair[0]))
        if (mean := said_and_met(row.reliability)) and (drawn := _drawn(row))
    ]
    return words("Share of forecasts that landed within ±5%, as said and as met. {list}.", list="; ".join(told))


COMMAND = with_offers(
    Command(
        name="accuracy",
        summary="How the forecasts fared: errors, ranges and confidence against what came",
        path="/api/spot/accuracy",
        params=(Param("gpu_name", "gpu", "the model whose series to show", aliases=("gpu", "model")),),
        ask=ask,
        card=card,
        examples=("accuracy", "accuracy RTX 4090"),
        role="member",
        prices_do=True,
    ),
    lambda answer, given: each_model([answer.gpu_name]) if answer.gpu_name else (),
)
