"""What is said about a fleet (Q3): what keeps it from growing, and what its figures rest on."""

from __future__ import annotations

from collections import Counter

from analytics.answers.fleet_aws import Aws
from analytics.answers.fleet_program import Fleet, Level, Lot, cost
from analytics.evidence import PLACES, Note, Percent, Usd
from analytics.hardware.comparators import old_prices
from analytics.hardware.machines import thin
from analytics.market import MICRO


def binding(fleet: Fleet, level: Level, budget: int, hours: float) -> list[Note]:
    """What keeps the fleet from growing or changing. ``budget`` in micro-dollars, ``hours`` of one month."""
    if not fleet:
        return []
    notes = []
    left = budget - cost(fleet, hours)
    if any(lot.cost(hours) > left for lot, _ in fleet):
        values = {"left": Usd(left / MICRO, PLACES)}
        notes.append(Note("budget: {left} a month left, too little for more of these", values))
    taken = _taken(fleet)
    supply = {lot.shelf: lot.supply for lot, _ in fleet}
    gone = [shelf for shelf, n in taken.items() if n >= supply[shelf]]
    if gone:
        names = ", ".join(
            f"{taken[m, r, size] * size} {m}{f' ×{size}' if size > 1 else ''} ({r})" for m, r, size in gone
        )
        notes.append(Note("supply: all that is free is taken of {lots}", {"lots": names}))
    return notes + _bound_by_level(fleet, level)


def _taken(fleet: Fleet) -> Counter[tuple[str, str, int]]:
    """Slices of each shelf, spot and on demand together."""
    taken: Counter[tuple[str, str, int]] = Counter()
    for lot, n in fleet:
        taken[lot.shelf] += n
    return taken


def _on_one_host(fleet: Fleet) -> int:
    """The GPUs of the host that must supply most, if machines are chosen among hosts as evenly as can be."""
    taken = _taken(fleet)
    must: Counter[int] = Counter()
    for lot in {lot.shelf: lot for lot, _ in fleet}.values():
        for host, slices in lot.hosts:
            must[host] += lot.size * max(0, taken[lot.shelf] - (lot.supply - slices))
    return max(must.values(), default=0)


def _bound_by_level(fleet: Fleet, level: Level) -> list[Note]:
    """The shares that one more GPU in the fullest place, or one more spot GPU, would break."""
    gpus = sum(lot.size * n for lot, n in fleet)
    places: Counter[tuple[str, str]] = Counter()
    for lot, n in fleet:
        places[lot.place] += lot.size * n
    notes = []
    most, least = level.most_in_one_place, level.least_on_demand
    if most is not None and (max(places.values()) + 1) / (gpus + 1) > most:
        notes.append(Note("reliability: at most {n} of one model in one region", {"n": Percent(100 * most)}))
    if most is not None and (_on_one_host(fleet) + 1) / (gpus + 1) > most:
        notes.append(Note("reliability: at most {n} on one host", {"n": Percent(100 * most)}))
    if sum(lot.size * n for lot, n in fleet if lot.market == "on-demand") / (gpus + 1) < least:
        notes.append(Note("reliability: at least {n} on demand", {"n": Percent(100 * least)}))
    return notes


def caveats(fleet: Fleet, aws: Aws, level: Level, uninterrupted: float, left_out: int) -> list[Note]:
    """What to know about the fleet's figures. ``uninterrupted``: USD if all hours run; ``left_out``: stale models."""
    notes = []
    if left_out:
        notes.append(Note("models left out because their last poll is too old: {n}", {"n": left_out}))
    notes += thin((_lot_name(lot), lot.machines) for lot, _ in fleet)
    if any(lot.lost is None for lot, _ in fleet):
        notes.append(
            Note("no interruption history for some of these: neither their work nor their hours are discounted")
        )
    notes += [*old_prices(aws.compared), *_compared(aws)]
    if any(lot.lost for lot, _ in fleet):
        text = "interrupted hours are not billed: without any interruption the month would cost {most}"
        notes.append(Note(text, {"most": Usd(uninterrupted, PLACES)}, usual=True))
    if fleet:
        notes += _OF_EVERY_FLEET
    if level.most_in_one_place is not None and any(lot.hosts for lot, _ in fleet):
        text = "some hosts offer several of these: take at most {share} of the GPUs from one host"
        notes.append(Note(text, {"share": Percent(100 * level.most_in_one_place)}))
    return notes


_OF_EVERY_FLEET = (
    Note("disk is billed on top, interrupted or not: how much depends on what is stored", usual=True),
    Note("prices are medians of the region; GPUs of different machines do separate jobs", usual=True),
)


def _compared(aws: Aws) -> list[Note]:
    """What the savings are against."""
    notes = []
    if aws.stand_in is not None:
        values = {
            "models": ", ".join(aws.without),
            "gpu": aws.stand_in.gpu,
            "price": Usd(aws.stand_in.usd_per_gpu_hour),
        }
        text = (
            "AWS sells nothing like {models}: compared with {gpu} ({price} per GPU-hour), "
            "where it does such work cheapest"
        )
        notes.append(Note(text, values))
    if aws.compared:
        text = "{gpu} ({instance}, {price} per GPU-hour, {date})"
        gpus = tuple(
            Note(text, {"gpu": c.gpu_name, "instance": c.instance, "price": Usd(c.usd_per_gpu_hour), "date": c.date})
            for c in aws.compared
        )
        notes.append(Note("savings: the same effective work on AWS on demand on {gpus}", {"gpus": gpus}, usual=True))
    return notes


def _lot_name(lot: Lot) -> str:
    return f"{lot.model}{f' ×{lot.size}' if lot.size > 1 else ''} {lot.region}"
