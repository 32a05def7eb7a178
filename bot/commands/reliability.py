"""``reliability``: will a tenant who starts now still be running tomorrow (Q8)."""

from __future__ import annotations

from analytics.answers.reliability import Reliability, reliability, score_of
from analytics.interruptions.class_prior import SHRINK_BELOW, priors
from analytics.interruptions.estimator import Context, total
from analytics.interruptions.scales import NO_SCALE, factors
from analytics.market import Exposure, LifeTable
from bot.commands.card_notes import card_notes
from bot.commands.offers_now import each_model, with_offers
from bot.commands.scales import risk_since, scales_of
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Band, Card, Chart, Column, Line, Lines, Table
from bot.presentation.words import Words


async def ask(query: QueryContext, *, gpu: str) -> Reliability:
    """Q8 from the last 30 days; the other models are read to tell where this one stands among those on offer."""
    since = await risk_since(query)
    rows = await query.reader.models()
    offered = [row for row in rows if row.offers and not query.basis_of([row]).stale]
    everyone = {model: total(some) for model, some in (await query.reader.exposure(None, since)).items()}
    exposure = everyone.get(gpu, Exposure())
    scale = await scales_of(query)
    prior = priors(everyone, factors(scale))[gpu] if 0 < exposure.events < SHRINK_BELOW else None
    lives = await query.reader.life_tables(None, since // 24)
    book = await query.reader.book([gpu])
    others = None
    if any(row.name == gpu for row in offered):
        found = (
            score_of(
                everyone.get(row.name, Exposure()),
                lives.get(row.name, LifeTable()),
                query.basis_of([row]),
                thinning=scale.get(row.name, NO_SCALE).thinning,
            )
            for row in offered
            if row.name != gpu
        )
        others = tuple(score for score in found if score is not None)
    own = scale.get(gpu, NO_SCALE)
    context = Context(prior, own.overdispersion, others, own.thinning, own.lived)
    basis = await query.basis([gpu])
    return reliability(gpu, exposure, lives.get(gpu, LifeTable()), book, basis, context=context)


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
            risk=_risk(answer, words),
        )
    rows = (
        (words("Still running after 1 h · 6 h · 24 h"), _survival(answer, words)),
        (words("New tenants: half are interrupted within"), words.hours(answer.new_tenant_half_life_hours)),
        (
            words("All tenants: mean time between interruptions"),
            words.hours(answer.mean_time_between_interruptions_hours),
        ),
        (words("95% interval of that mean time"), _interval(answer, words)),
        *_bids(answer, words),
        (words("An interruption lasts"), _minutes(answer.avg_interruption_duration_minutes, words)),
        (words("Up-time, 30 days"), words.percent(answer.uptime_percent_30d)),
        (words("Interruptions seen"), words.number(answer.total_interruptions, 0)),
        (words("Score, lower 5% bound"), words.share(details.get("reliability_score_lower_5"), 1)),
        (words("Vast's own host score, median"), words.share(answer.host_reliability, 1)),
    )
    table = Table(words("Reliability"), (Column(words("figure")), Column(words("value"), "right")), rows)
    notes = card_notes(answer.evidence, words, usual=(answer.evidence.method,))
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


PLACES = {
    1: "{rank}st safest of {n} on offer",
    2: "{rank}nd safest of {n} on offer",
    3: "{rank}rd safest of {n} on offer",
}
"""How a place is said by the last digit of its number."""


def _risk(answer: Reliability, words: Words) -> str:
    """The label, and where the model stands among those on offer if there are others."""
    level = words(f"{answer.risk_level} risk")
    if answer.risk_rank is None or answer.risk_of is None or answer.risk_of == 1:
        return level
    rank, teen = answer.risk_rank, answer.risk_rank % 100 in (11, 12, 13)
    text = PLACES.get(0 if teen else rank % 10, "{rank}th safest of {n} on offer")
    return words("{risk}, {place}", risk=level, place=words(text, rank=rank, n=answer.risk_of))


def _survival(answer: Reliability, words: Words) -> str:
    curve = answer.survival
    return " · ".join(words.share(value) for value in (curve.after_1h, curve.after_6h, curve.after_24h))


def _interval(answer: Reliability, words: Words) -> str:
    ends = (answer.evidence.interval_95 or {})["mean_time_between_interruptions_hours"]
    if ends["low"] is None:
        return "–"
    low = words.hours(ends["low"])
    return f"> {low}" if ends["high"] is None else f"{low} – {words.hours(ends['high'])}"


def _bids(answer: Reliability, words: Words) -> tuple[tuple[str, str], ...]:
    """What paying more buys, where it is known."""
    known = [row for row in answer.mtbi_by_bid or () if row.mean_time_between_interruptions_hours is not None]
    if len(known) < len(answer.mtbi_by_bid or ()) or not known:
        return ()
    bids = " · ".join(words.number(row.bid_factor, 2) for row in known)
    times = " · ".join(words.number(row.mean_time_between_interruptions_hours, 1) for row in known)
    return ((words("Mean hours at a bid of {factors} × the lowest", factors=bids), times),)


def _minutes(minutes: float | None, words: Words) -> str:
    return words.hours(None if minutes is None else minutes / 60)


COMMAND = with_offers(
    Command(
        name="reliability",
        summary="How likely a tenant who starts now is still running after 24 hours",
        path="/api/spot/reliability",
        params=(Param("gpu", "gpu", "the model", required=True, aliases=("gpu_name", "model")),),
        ask=ask,
        card=card,
        examples=("reliability RTX 4090", "reliability H100 SXM"),
        role="member",
    ),
    lambda answer, given: each_model([answer.gpu_name]),
)
