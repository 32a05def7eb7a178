"""``reliability``: will a tenant who starts now still be running tomorrow (Q8)."""

from __future__ import annotations

from analytics.answers.reliability import PERIOD_DAYS, Reliability, reliability
from analytics.interruptions.estimator import SHRINK_BELOW, Context, priors, total
from analytics.market import HOUR, LifeTable
from bot.commands.overdispersion import overdispersion_of
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Band, Card, Chart, Column, Line, Lines, Table
from bot.presentation.words import Words


async def ask(query: QueryContext, *, gpu: str) -> Reliability:
    """Q8 from the last 30 days; the other models are read only where this one's rate has to lean on them."""
    since = await query.seen_until([gpu]) // HOUR - PERIOD_DAYS * 24
    exposure = total((await query.reader.exposure([gpu], since)).get(gpu, {}))
    prior = None
    if 0 < exposure.events < SHRINK_BELOW:
        everyone = await query.reader.exposure(None, since)
        prior = priors({model: total(regions) for model, regions in everyone.items()})[gpu]
    life = (await query.reader.life_tables([gpu], since // 24)).get(gpu, LifeTable())
    book = await query.reader.book([gpu])
    context = Context(prior, (await overdispersion_of(query, [gpu])).get(gpu))
    return reliability(gpu, exposure, life, book, await query.basis([gpu], offers=len(book)), context=context)


def card(answer: Reliability, words: Words) -> Card:
    """The chance for a day first, then what it is made of."""
    details = answer.evidence.details or {}
    if answer.reliability_score is None:
        lead = words("{gpu}: no score yet", gpu=answer.gpu_name)
    else:
        lead = words(
            "{gpu}: {score} of new tenants run 24 h without interruption ({risk})",
            gpu=answer.gpu_name,
            score=words.share(answer.reliability_score, 1),
            risk=words(f"{answer.risk_level} risk"),
        )
    rows = (
        (words("Still running after 1 h · 6 h · 24 h"), _survival(answer, words)),
        (words("Half are interrupted within"), words.hours(answer.survival.median_hours)),
        (words("Time between interruptions"), words.hours(answer.mean_time_between_interruptions_hours)),
        (words("95% interval"), _interval(answer, words)),
        (words("An interruption lasts"), _minutes(answer.avg_interruption_duration_minutes, words)),
        (words("Up-time, 30 days"), words.percent(answer.uptime_percent_30d)),
        (words("Interruptions seen"), words.number(answer.total_interruptions, 0)),
        (words("Score, lower 5% bound"), words.share(details.get("reliability_score_lower_5"), 1)),
        (words("Vast's own host score, median"), words.share(answer.host_reliability, 1)),
    )
    table = Table(words("Reliability"), (Column(words("figure")), Column(words("value"), "right")), rows)
    notes = tuple(words(note) for note in (answer.evidence.method, *answer.evidence.caveats))
    title, footer = words("Reliability: {gpu}", gpu=answer.gpu_name), words.footer(answer.evidence)
    return Card(title, words.lead(lead, answer.evidence), (table,), (), notes, footer, _charts(answer, words))


def _charts(answer: Reliability, words: Words) -> tuple[Chart, ...]:
    """The survival curve with its range; none before anything is said about it."""
    curve = answer.survival_curve
    if not curve:
        return ()
    hours = tuple(point.hours for point in curve)
    lows, highs = tuple(point.low for point in curve), tuple(point.high for point in curve)
    chart = Lines(
        title=words("Reliability: {gpu}", gpu=answer.gpu_name),
        alt=_alt(answer, words),
        lines=(Line(words("still running"), hours, tuple(point.probability for point in curve)),),
        bands=(Band(words("95% interval"), hours, lows, highs),),
        x="hours",
        unit="share",
        scale=words("share of new tenants, by hours since their start"),
    )
    return (chart,)


def _alt(answer: Reliability, words: Words) -> str:
    last = answer.survival_curve[-1]
    shown = {point.hours: words.share(point.probability, 1) for point in answer.survival_curve}
    after = (words("{share} after {n} h", share=shown[n], n=round(n)) for n in (1.0, 6.0, last.hours) if n in shown)
    return words(
        "{gpu}, share of new tenants still running: {list} (95% interval {low} to {high}).",
        gpu=answer.gpu_name,
        list=", ".join(dict.fromkeys(after)),
        low=words.share(last.low, 1),
        high=words.share(last.high, 1),
    )


def _survival(answer: Reliability, words: Words) -> str:
    curve = answer.survival
    return " · ".join(words.share(value) for value in (curve.after_1h, curve.after_6h, curve.after_24h))


def _interval(answer: Reliability, words: Words) -> str:
    ends = (answer.evidence.interval_95 or {})["mean_time_between_interruptions_hours"]
    if ends["low"] is None:
        return "–"
    low = words.hours(ends["low"])
    return f"> {low}" if ends["high"] is None else f"{low} – {words.hours(ends['high'])}"


def _minutes(minutes: float | None, words: Words) -> str:
    return words.hours(None if minutes is None else minutes / 60)


COMMAND = Command(
    name="reliability",
    summary="How likely a tenant who starts now is still running after 24 hours",
    path="/api/spot/reliability",
    params=(Param("gpu", "gpu", "the model", required=True, aliases=("gpu_name", "model")),),
    ask=ask,
    card=card,
    examples=("reliability RTX 4090", "reliability H100 SXM"),
    role="member",
)
