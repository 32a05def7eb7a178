"""A rule in words: what is watched, what it waits for, and how it behaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from analytics.evidence import Note, Plural
from analytics.interruptions.shadow_tenants import BID_FACTOR
from analytics.market import DAY, HOUR, WORLD
from bot.alerts.explain import condition, whole
from bot.alerts.places import ALL, is_group
from bot.alerts.rules import Kind, Measure, Metric, OfferFilter, Rule, Series

PRICES: Mapping[Metric, Note] = {
    Metric.CURRENT: Note("spot price (median)"),
    Metric.FLOOR: Note("cheapest spot offer"),
    Metric.ON_DEMAND: Note("on-demand price (median)"),
}
"""What each metric is called."""

_MEASURES: Mapping[Measure, Note] = {
    Measure.PRICE: Note("{price}"),
    Measure.CHANGE: Note("change of the {price} over {window}"),
    Measure.OVER_LOW: Note("{price} against its low of {window}"),
    Measure.GPUS: Note("GPUs free"),
    Measure.RISK: Note("interruption risk within {window}"),
    Measure.PREDICTED: Note("price predicted within {window} with {level}%"),
    Measure.OFFER: Note("lowest bid"),
}


_MEANING: Mapping[Measure, Note] = {
    Measure.RISK: Note(
        "The risk is that of a tenant who starts now and bids {factor}× the lowest bid, as “reliability” tells it",
        {"factor": BID_FACTOR},
    ),
    Measure.PREDICTED: Note("It looks 1, 6 and 24 h ahead of each poll, as “predict” tells it; one is enough"),
}
"""What has to be said of a measure before its values mean something."""

_TEMPLATES: Mapping[Kind, str] = {
    Kind.CROSSES: "{model}: {measure} on crossing to {condition}",
    Kind.AVAILABLE: "{model}: {condition} free",
    Kind.PREDICTED_BELOW: "{model}: predicted {condition} within {window}, with a probability of {level}% or more",
    Kind.OFFER: "{model}: offers {condition} per GPU-hour",
}
"""Where a rule is not said as measure and condition; each also with a place behind it."""


def measured(series: Series) -> Note:
    """What is measured, such as "cheapest spot offer"."""
    return Note(_MEASURES[series.measure].text, {"price": PRICES[series.metric], **ahead(series)})


def ahead(series: Series) -> dict[str, Any]:
    """How far a series looks, and with what probability."""
    return {"window": span(series.window), "level": whole(series.level / 10_000)}


def place(region: str) -> Note | None:
    """Where, None for everywhere."""
    if region == WORLD:
        return None
    return Note("in {region}", {"region": region.removesuffix(ALL) if is_group(region) else region})


def describe(rule: Rule) -> Note:
    """The rule in one sentence, such as "RTX 4090: spot price (median) below $0.35 in EU"."""
    said = {"model": rule.series.model, "measure": measured(rule.series), "condition": condition(rule)}
    said |= ahead(rule.series)
    where = place(rule.series.region)
    template = _TEMPLATES.get(rule.kind, "{model}: {measure} {condition}")
    sentence = Note(template, said) if where is None else Note(f"{template} {{place}}", said | {"place": where})
    for asked in _asked(rule.wanted):
        sentence = Note("{rule}, {asked}", {"rule": sentence, "asked": asked})
    return sentence


def _asked(wanted: OfferFilter) -> Iterator[Note]:
    """What an offer must have besides its price."""
    if wanted.gpus > 1:
        yield Note("GPUs: {n} or more", {"n": wanted.gpus})
    if wanted.reliability_ppm:
        yield Note("host reliability {percent}% or more", {"percent": whole(wanted.reliability_ppm / 10_000)})
    if wanted.disk_gb:
        yield Note("with {n} GB of disk in the price", {"n": wanted.disk_gb})


def span(seconds: int) -> Note:
    """A duration that somebody said: in days where it is whole days, else hours, else minutes."""
    for unit, text in ((DAY, "{n} d"), (HOUR, "{n} h")):
        if seconds and seconds % unit == 0:
            return Note(text, {"n": seconds // unit})
    return Note(Plural("{n} minute", "{n} minutes"), {"n": -(-seconds // 60)})


_QUIET_OF_TEAM = "Quiet hours: {start}–{end} ({zone}), the team's"

LOUD = Note("No quiet hours, whatever the team's are")
"""Of a rule whose maker said so."""


def terms(rule: Rule) -> Iterator[Note]:
    """How it behaves, a sentence a term; what is usual is said too, so that nobody has to guess."""
    yield (
        Note("readings in a row that it takes to fire: {n}", {"n": rule.readings})
        if rule.readings > 1
        else Note("It fires at the first reading")
    )
    if rule.hold_seconds:
        yield Note("and once the condition has held for {span}", {"span": span(rule.hold_seconds)})
    if rule.kind is Kind.OFFER:
        yield Note("It fires again only for machines that it has not told of")
    else:
        percent = {"percent": whole(rule.rearm_ppm / 10_000)}
        yield Note("It re-arms {percent}% beyond the threshold; then it may fire again", percent)
    if rule.repeat_seconds:
        yield Note("It reminds every {span} while it holds", {"span": span(rule.repeat_seconds)})
    if rule.series.measure in _MEANING:
        yield _MEANING[rule.series.measure]
    if rule.quiet is not None:
        times = {"start": _minutes(rule.quiet.start), "end": _minutes(rule.quiet.end), "zone": rule.quiet.zone}
        yield Note(_QUIET_OF_TEAM if rule.quiet.of_team else "Quiet hours: {start}–{end} ({zone})", times)
    elif rule.loud:
        yield LOUD
    if rule.mention:
        yield Note("It calls the role or user group {id}", {"id": rule.mention})


def _minutes(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
