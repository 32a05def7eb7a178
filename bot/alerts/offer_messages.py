"""What the messages of rules on offers say: the machines as they were when it was decided, and how to rent one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.market import MICRO
from analytics.vast_commands import bid_price, create_line
from bot.alerts.elements import clock
from bot.alerts.offers import Match
from bot.alerts.rules import PPM, Rule
from bot.presentation.card import Column, Table
from bot.presentation.words import Words

LISTED_TOGETHER = 3
"""Machines of each rule that a message of several rules lists (ours: people rent one of the cheapest)."""


@dataclass(frozen=True, slots=True)
class OffersTold:
    """The machines that a message lists, how many it tells of, and how many match."""

    offers: tuple[Match, ...]
    machines: int
    matching: int


def offers_told(stored: Mapping[str, Any]) -> OffersTold | None:
    """The machines of a stored event; None where it lists none."""
    offers = stored.get("offers")
    if offers is None:
        return None
    return OffersTold(tuple(Match(**offer) for offer in offers), stored["machines"], stored["matching"])


def offers_lead(told: OffersTold | None, since: int, at: int, words: Words) -> str:
    """What happened, in a sentence."""
    if told is None:
        return words("No machine matches any more. It held from {since} to {at}.", since=clock(since), at=clock(at))
    if not told.offers:
        return words("No machine matches now.")
    lead = words("Machines that match: {n}.", n=told.matching)
    if told.machines < told.matching:
        lead += " " + words("Not told of before: {n}.", n=told.machines)
    cheapest = words("The cheapest costs {price} per GPU-hour.", price=_money(told.offers[0].price, words))
    return f"{lead} {cheapest}"


def offers_table(told: OffersTold, words: Words) -> tuple[Table, ...]:
    """A row a machine, the cheapest first."""
    if not told.offers:
        return ()
    columns = (
        Column(words("USD/GPU-h"), "right"),
        Column("GPUs", "right"),
        Column(words("region")),
        Column(words("host reliability"), "right"),
        Column(words("rentable until")),
        Column(words("machine"), "right"),
    )
    rows = tuple(_row(match, words) for match in told.offers)
    return (Table(words("Cheapest that match, of {n}", n=told.machines), columns, rows),)


def together_table(told: Sequence[tuple[str, OffersTold]], words: Words) -> tuple[Table, ...]:
    """The cheapest machines of several rules, each by its name."""
    rows = tuple(_together_row(name, match, words) for name, some in told for match in some.offers[:LISTED_TOGETHER])
    if not rows:
        return ()
    columns = (
        Column(words("alert")),
        Column(words("USD/GPU-h"), "right"),
        Column("GPUs", "right"),
        Column(words("region")),
        Column(words("machine"), "right"),
        Column(words("offer"), "right"),
    )
    return (Table(words("Cheapest that match"), columns, rows),)


def together_notes(told: Sequence[tuple[str, OffersTold]], words: Words) -> Iterator[str]:
    """How many machines of several rules are not listed, and how they are."""
    more = sum(some.machines - min(len(some.offers), LISTED_TOGETHER) for _, some in told)
    if more:
        yield words("Machines that match besides these: {n}; “alert test” and a name lists more.", n=more)


def rent_notes(rule: Rule, told: OffersTold, words: Words) -> Iterator[str]:
    """How the cheapest is rented, and what its price is made of."""
    cheapest = next(iter(told.offers), None)
    if cheapest is not None and cheapest.offer_id is not None:
        yield words("To rent the cheapest: {command}", command=command_line(cheapest, rule.wanted.disk_gb))
        yield words(
            "The bid is the least that this slice takes now, per hour and for all its GPUs, with nothing added to it."
        )
    if rule.wanted.disk_gb and told.offers:
        yield words("Prices are with {n} GB of disk, which is paid besides the bid.", n=rule.wanted.disk_gb)


def command_line(match: Match, disk_gb: int) -> str:
    """What the market's program takes to rent a slice at its least bid; what was not asked for is left to fill in."""
    disk = str(disk_gb) if disk_gb else "GB"
    return create_line(match.offer_id or 0, disk, bid_price(match.bid, match.num_gpus))


def _row(match: Match, words: Words) -> tuple[str, ...]:
    score = "–" if match.reliability_ppm is None else words.share(match.reliability_ppm / PPM, 1)
    until = "–" if match.end_date is None else clock(match.end_date)
    return _money(match.price, words), str(match.num_gpus), match.region, score, until, str(match.machine_id)


def _together_row(name: str, match: Match, words: Words) -> tuple[str, ...]:
    offer = "–" if match.offer_id is None else str(match.offer_id)
    return name, _money(match.price, words), str(match.num_gpus), match.region, str(match.machine_id), offer


def _money(micro: int, words: Words) -> str:
    return words.money(micro / MICRO, None if micro % 1000 == 0 else 4)
