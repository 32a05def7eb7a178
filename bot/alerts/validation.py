"""Which rules are refused: those out of range, and those that certainly can never fire or always would."""

from __future__ import annotations

from collections.abc import Iterator

from analytics.errors import AskError
from analytics.evidence import Note
from analytics.market import DAY
from bot.alerts.places import is_group
from bot.alerts.quiet import DAY_MINUTES, Quiet
from bot.alerts.rules import KINDS, PPM, Kind, Measure, Metric, Rule, Series
from bot.zones import find_zone

MAX_READINGS = 10
"""Most readings in a row (ours: at a poll in five minutes, most of an hour; longer is said with ``for``)."""
MAX_REARM_PPM = 500_000
"""Widest re-arm margin (ours: beyond half the threshold a rule practically never re-arms)."""

MAX_THRESHOLD = 10**15
"""Largest threshold in any unit (ours: a billion dollars an hour; with its margin far within a database's integers)."""

MAX_GPUS = 64
"""Most GPUs that a rule on offers may ask for (ours: four times what the largest machine has)."""

MAX_DISK_GB = 100_000
"""Most disk that a rule on offers may ask for (ours: a hundred terabytes, more than a machine has)."""

_TOO_LOW: dict[Kind, Note] = {
    Kind.AVAILABLE: Note("at least 1 GPU, or it always fires"),
    Kind.RISES: Note("a rise must be more than 0%"),
    Kind.DROPS: Note("a drop must be less than 100%, or it never fires"),
    Kind.NEW_LOW: Note("a new low takes no threshold"),
}
_TOO_HIGH: dict[Kind, Note] = {
    Kind.DROPS: Note("a drop must be more than 0%"),
    Kind.NEW_LOW: Note("a new low takes no threshold"),
    Kind.RISK_ABOVE: Note("a risk must be less than 100%, or it never fires"),
}
_POSITIVE = Note("the threshold must be more than 0")
_TOO_LARGE = Note("the threshold is too large")
_GROUP_PRICE = Note("several regions together have no price but their floor: watch the floor, or one region")


def validate(rule: Rule) -> None:
    """Raise an AskError that says what is wrong with a rule; silent for a good one."""
    for note in _problems(rule):
        raise AskError(note)


def _problems(rule: Rule) -> Iterator[Note]:
    yield from _shape(rule)
    yield from _threshold(rule)
    yield from _window(rule)
    yield from _counts(rule)
    yield from _lifetime(rule)
    yield from _offer(rule)
    if rule.quiet is not None:
        yield from wrong_quiet(rule.quiet)


def _shape(rule: Rule) -> Iterator[Note]:
    spec = KINDS[rule.kind]
    if rule.series.measure is not spec.measure or spec.direction not in (None, rule.direction):
        yield Note("{kind} does not watch {measure} {direction} a threshold", _names(rule))
    if is_group(rule.series.region) and not _together(rule.series):
        yield _GROUP_PRICE


def _together(series: Series) -> bool:
    """Whether it can be measured of several regions together."""
    return series.measure in (Measure.GPUS, Measure.OFFER) or (
        series.measure is Measure.PRICE and series.metric is Metric.FLOOR
    )


def _offer(rule: Rule) -> Iterator[Note]:
    if rule.kind is not Kind.OFFER:
        yield from [Note("only offers have filters")] if rule.offer is not None else []
        return
    if rule.series.metric is not Metric.CURRENT:
        yield Note("offers are told by their bid; there is no rule on offers on demand")
    wanted = rule.wanted
    if not 1 <= wanted.gpus <= MAX_GPUS:
        yield Note("GPUs of an offer: between 1 and {most}", {"most": MAX_GPUS})
    if not 0 <= wanted.reliability_ppm <= PPM:
        yield Note("a reliability lies between 0% and 100%")
    if not 0 <= wanted.disk_gb <= MAX_DISK_GB:
        yield Note("disk: between 1 and {most} GB", {"most": MAX_DISK_GB})


def _names(rule: Rule) -> dict[str, str]:
    return {"kind": str(rule.kind), "measure": str(rule.series.measure), "direction": str(rule.direction)}


def _threshold(rule: Rule) -> Iterator[Note]:
    spec = KINDS[rule.kind]
    if rule.threshold < spec.lowest:
        yield _TOO_LOW.get(rule.kind, _POSITIVE)
    if rule.threshold > min(spec.highest or MAX_THRESHOLD, MAX_THRESHOLD):
        yield _TOO_HIGH.get(rule.kind, _TOO_LARGE)


def _window(rule: Rule) -> Iterator[Note]:
    spec = KINDS[rule.kind]
    least, most, unit = spec.window
    if not least <= rule.series.window <= most:
        name = Note("days") if unit == DAY else Note("hours")
        yield Note("between {least} and {most} {unit}", {"least": least // unit, "most": most // unit, "unit": name})
    if spec.levelled and not 0 < rule.series.level < PPM:
        yield Note("a probability lies between 0% and 100%")


def _counts(rule: Rule) -> Iterator[Note]:
    if not 1 <= rule.readings <= MAX_READINGS:
        yield Note("readings in a row: between 1 and {most}", {"most": MAX_READINGS})
    if not 0 <= rule.rearm_ppm <= MAX_REARM_PPM:
        yield Note("the re-arm margin lies between 0% and {most}%", {"most": 100 * MAX_REARM_PPM // PPM})
    if min(rule.hold_seconds, rule.repeat_seconds, rule.min_interval) < 0:
        yield Note("a duration cannot be negative")


def _lifetime(rule: Rule) -> Iterator[Note]:
    if rule.expires_at is None:
        return
    if rule.expires_at <= rule.created_at:
        yield Note("it would expire before it begins")
    elif rule.expires_at - rule.created_at <= rule.hold_seconds:
        yield Note("it would expire before it can fire")


def wrong_quiet(quiet: Quiet) -> Iterator[Note]:
    """What is wrong with quiet hours."""
    if not all(0 <= minute < DAY_MINUTES for minute in (quiet.start, quiet.end)):
        yield Note("quiet hours run from a time of day to a time of day")
    if quiet.start == quiet.end:
        yield Note("quiet hours cannot last all day")
    if find_zone(quiet.zone) is None:
        yield Note("tz: no time zone of that name")
