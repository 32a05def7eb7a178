"""One number is one number: what two verbs both show at one moment is equal, and so is what one card shows twice."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from analytics.errors import AskError
from analytics.market import DAY
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.polling.rounds import Collector
from bot.presentation.card import Card
from bot.presentation.words import Words
from bot.sources.sim_calibration import DEFAULT
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import open_store
from tests.fakes.stored import NAMES, NOW

MARKETS = {
    11: (4.0, ("RTX 4090", "H100 SXM", "L40S")),
    12: (3.0, ("RTX 3090", "A100 PCIE 80GB", "Tesla V100 32GB")),
    13: (10.0, ("RTX 4090", "H200")),
}
"""Seed -> days of history and models. They end within an hour: the price shown is then not that of a full hour."""

ENDS = NOW + 40 * 60

QUESTIONS = (
    "monitor",
    "monitor {gpu}",
    "predict {gpu}",
    "availability {gpu}",
    "savings {gpu} 100h",
    "history {gpu} days=1",
    "history {gpu} days=30",
    "reliability {gpu}",
    "interruptions 30d",
    "interruptions 30d {gpu}",
    "windows {gpu}",
    "accuracy",
    "accuracy {gpu}",
    "llm 7B gpus=1 limit=50",
    "cost llama2-7b 50GB",
    "cost llama2-7b 50GB gpu={gpu}",
    "fleet 500 training medium",
    "fleet 500 training low",
    "status",
)
"""Every verb that answers about the market, alone or about one model."""

DIFFERENT = {
    ("monitor.current_price", "llm.price_per_gpu_hour"): "the median of all free GPUs; of machines with that many",
    ("savings.price_per_hour", "llm.price_per_hour"): "of one GPU; of the machine that the line names",
    ("monitor.current_price", "history.stats.last"): "of the latest poll; of the whole last hour, by time",
    ("monitor.min_price_24h", "history.stats.low"): "with the price now among them; of full and running hours",
    ("monitor.change_percent", "history.stats.change_percent"): "now against 24 h; between the first and the last day",
    ("availability.regions.avg_price", "fleet.composition.price_per_hour"): "of a region; of its machines of one size",
    ("cost.aws.gpu_name", "savings.comparators"): "the cheapest for the whole work; the nearest to one GPU",
    ("reliability.mean_time_between", "reliability.new_tenant_half_life"): "of all tenants; of those who start now",
}
"""What looks alike and is not, and why. The names differ, or a sentence beside the number says of what it is."""


class Shown(NamedTuple):
    """A figure of an answer: what it is of whom, which question showed it, and its value."""

    quantity: str
    gpu: str
    question: str
    value: Any


def of_monitor(answer: Any) -> Iterator[tuple[str, str, Any]]:
    for row in answer.price_trends:
        for quantity in ("current_price", "floor_price", "p10", "p90", "on_demand_price", "offers", "as_of", "stale"):
            yield quantity, row.gpu_name, getattr(row, quantity)
        yield "gpus", row.gpu_name, row.gpus_available
        yield "machines", row.gpu_name, row.machines


def of_predict(answer: Any) -> Iterator[tuple[str, str, Any]]:
    yield "current_price", answer.gpu_name, answer.current_price
    if answer.forecaster == "last_value":
        for point in answer.predictions.values():
            yield "current_price", answer.gpu_name, point.price
    yield "last full hour", answer.gpu_name, answer.past[-1].at


def of_availability(answer: Any) -> Iterator[tuple[str, str, Any]]:
    name, regions = answer.gpu_name, answer.regions
    yield "gpus", name, answer.total_available
    yield "gpus", name, sum(row.available_count for row in regions)
    yield "gpus", name, sum(sum(row.countries.values()) for row in regions)
    yield "offers", name, sum(row.offers for row in regions)
    yield "machines", name, sum(row.machines for row in regions)
    yield "floor_price", name, min((row.floor_price for row in regions if row.floor_price), default=None)


def of_savings(answer: Any) -> Iterator[tuple[str, str, Any]]:
    yield "current_price", answer.gpu_name, answer.price_per_hour
    yield "current_price", answer.gpu_name, pytest.approx(answer.cost_dumont / answer.hours, abs=1e-4)
    yield "p10", answer.gpu_name, answer.price_p10
    yield "p90", answer.gpu_name, answer.price_p90
    yield "on_demand_price", answer.gpu_name, answer.on_demand_price
    for row in answer.comparators:
        yield f"{row.cloud} {row.instance}", "", row.usd_per_gpu_hour
        if row.cloud == "AWS":
            yield "nearest at AWS", answer.gpu_name, row.gpu_name


def of_history(answer: Any) -> Iterator[tuple[str, str, Any]]:
    name, points = answer.gpu_name, answer.points
    if answer.stats is not None and answer.step == "hour":
        yield "price of the last hour", name, answer.stats.last
        yield "price of the last hour", name, next(p.price for p in reversed(points) if p.price is not None)


def of_reliability(answer: Any) -> Iterator[tuple[str, str, Any]]:
    name = answer.gpu_name
    yield "up-time", name, answer.uptime_percent_30d
    yield "mtbi", name, answer.mean_time_between_interruptions_hours
    yield "minutes", name, answer.avg_interruption_duration_minutes
    yield "interruptions", name, answer.total_interruptions
    yield "mtbi interval", name, dict((answer.evidence.interval_95 or {})["mean_time_between_interruptions_hours"])
    yield "observed hours", name, answer.evidence.exposure_hours
    if answer.survival_curve:
        yield "score", name, answer.survival.after_24h
        yield "score", name, answer.reliability_score


def of_interruptions(answer: Any) -> Iterator[tuple[str, str, Any]]:
    for row in answer.gpus:
        yield "up-time", row.gpu_name, row.uptime_percent
        yield "mtbi", row.gpu_name, row.mean_time_between_interruptions_hours
        yield "minutes", row.gpu_name, row.avg_duration_minutes
        yield "interruptions", row.gpu_name, row.total_interruptions
        yield "interruptions", row.gpu_name, sum(row.by_cause.values())
        yield "mtbi interval", row.gpu_name, dict(row.interval_95)
        yield "observed hours", row.gpu_name, row.exposure_hours
        if row.interruption_rate_per_day:
            yield "mtbi", row.gpu_name, pytest.approx(24 / row.interruption_rate_per_day, rel=1e-3)


def of_llm(answer: Any) -> Iterator[tuple[str, str, Any]]:
    for row in answer.recommendations:
        yield f"price of {row.gpus}", row.gpu_name, row.price_per_hour
        yield f"price of {row.gpus}", row.gpu_name, pytest.approx(row.price_per_gpu_hour * row.gpus, abs=1e-3)
        yield f"machines of {row.gpus}", row.gpu_name, row.machines


def of_cost(answer: Any) -> Iterator[tuple[str, str, Any]]:
    for row in answer.gpu_recommendations:
        yield f"price of {row.gpus}", row.gpu_name, row.price_per_hour
        yield f"machines of {row.gpus}", row.gpu_name, row.machines
        if row.checkpoints is not None and row.checkpoints.mtbi_hours is not None:
            yield "mtbi", row.gpu_name, pytest.approx(row.checkpoints.mtbi_hours, abs=0.006)
        if row.aws is not None:
            yield f"AWS {row.aws.instance}", "", row.aws.usd_per_gpu_hour
            yield f"AWS cost of {answer.tokens} tokens", answer.model, row.cost_aws
            yield f"AWS cost of {answer.tokens} tokens", answer.model, row.aws.cost


def of_fleet(answer: Any) -> Iterator[tuple[str, str, Any]]:
    yield "fleet's GPUs", answer.reliability, answer.total_gpus
    yield "fleet's GPUs", answer.reliability, sum(line.quantity for line in answer.composition)
    yield "fleet's cost", answer.reliability, answer.monthly_cost
    lines = [line.cost_per_month for line in answer.composition]
    yield "fleet's cost", answer.reliability, pytest.approx(sum(lines), abs=1e-3)
    bills = [line.quantity * line.price_per_hour * line.billed_hours for line in answer.composition]
    yield "fleet's cost", answer.reliability, pytest.approx(sum(bills), rel=1e-3)


def of_accuracy(answer: Any) -> Iterator[tuple[str, str, Any]]:
    for row in answer.series:
        yield f"{answer.source} error in {row.horizon_hours} h", row.gpu, row.mae
        yield f"{answer.source} cases in {row.horizon_hours} h", row.gpu, row.n
    for hours, whole in answer.overall.items():
        yield f"{answer.source} error of all in {hours} h", "the market", whole.ratio
        yield f"{answer.source} cases of all in {hours} h", "the market", whole.n
        if answer.gpu_name is None:
            n = sum(row.n for row in answer.series if row.horizon_hours == int(hours))
            yield f"{answer.source} cases of all in {hours} h", "the market", n


def of_status(answer: Any) -> Iterator[tuple[str, str, Any]]:
    for row in answer.models:
        yield "as_of", row.gpu_name, row.last_complete_poll
        yield "stale", row.gpu_name, row.stale


FIGURES: dict[str, Callable[[Any], Iterator[tuple[str, str, Any]]]] = {
    "monitor": of_monitor,
    "predict": of_predict,
    "availability": of_availability,
    "savings": of_savings,
    "history": of_history,
    "reliability": of_reliability,
    "interruptions": of_interruptions,
    "llm": of_llm,
    "cost": of_cost,
    "fleet": of_fleet,
    "status": of_status,
    "windows": lambda _: iter(()),
    "accuracy": of_accuracy,
}
"""Verb -> the figures of its answer that others show too, or that it shows twice."""

ABOUT_ONE = {"predict", "availability", "savings", "history", "reliability", "windows"}


def of_evidence(verb: str, gpu: str, answer: Any) -> Iterator[tuple[str, str, Any]]:
    """What stands in the footer: of one model, or of the whole market."""
    whom = gpu if verb in ABOUT_ONE else "the market"
    if verb == "status":
        return
    yield "history_days", whom, answer.evidence.history_days
    yield "offers", whom, answer.evidence.offers
    yield "as_of", whom, answer.evidence.as_of
    yield "stale", whom, answer.evidence.stale


def of_offers(answer: Any) -> Iterator[tuple[str, str, Any]]:
    """The offers that an answer ends with: one slice has one price, whatever was asked."""
    for offer in getattr(answer, "offers_now", None) or ():
        whom = f"{offer.num_gpus}× {offer.gpu_name} on machine {offer.machine_id}"
        yield "least bid", whom, offer.spot_price
        yield "on-demand price of the slice", whom, offer.on_demand_price
        yield "host reliability", whom, offer.reliability
        per_gpu = offer.spot_price if offer.market == "spot" else offer.on_demand_price
        yield f"{offer.market} an hour", whom, offer.price_per_hour
        yield f"{offer.market} an hour", whom, pytest.approx(per_gpu * offer.num_gpus, abs=1e-3)


async def figures(dispatcher: Dispatcher, gpus: Sequence[str]) -> list[Shown]:
    """All figures of all answers about the market and each of its models; what is refused shows none."""
    found = []
    for template in QUESTIONS:
        for gpu in gpus if "{gpu}" in template else ("",):
            question = template.format(gpu=gpu)
            try:
                command, answer = await dispatcher.ask_line(question)
            except AskError:
                continue
            shown = [*FIGURES[command.name](answer), *of_offers(answer)]
            if not gpu or command.name in ABOUT_ONE:
                shown += of_evidence(command.name, gpu, answer)
            found += [Shown(quantity, whom, question, value) for quantity, whom, value in shown]
    return found


def contradictions(found: list[Shown]) -> list[str]:
    """Each pair of figures that should be one number and is not."""
    by_quantity: dict[tuple[str, str], list[Shown]] = defaultdict(list)
    for shown in found:
        by_quantity[shown.quantity, shown.gpu].append(shown)
    return [
        f"{one.quantity} of {one.gpu}: {one.value} in “{one.question}”, {other.value} in “{other.question}”"
        for some in by_quantity.values()
        for one, other in itertools.combinations(some, 2)
        if one.value != other.value
    ]


@pytest.fixture(params=MARKETS, ids=lambda seed: f"seed {seed}")
async def simulated(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Dispatcher]:
    """A dispatcher on a small simulated market without forecasts, a minute after a poll in the middle of an hour."""
    days, names = MARKETS[request.param]
    store = await open_store(f"sqlite:///{tmp_path / 'small.db'}", writer=True)
    market = SimulatedMarket(request.param, ENDS - round(days * DAY), [one for one in DEFAULT if one.name in names])
    await Collector(store, source="simulated").record_many(market.history(days, ENDS))
    yield Dispatcher(store, COMMANDS, lambda: ENDS + 60, home="Sao Paulo, BR")
    await store.close()


async def test_all_pairs_of_verbs_show_one_number(dispatcher: Dispatcher) -> None:
    found = await figures(dispatcher, NAMES)
    assert {shown.question.split()[0] for shown in found} == set(FIGURES)
    assert contradictions(found) == []


async def test_all_pairs_of_verbs_show_one_number_on_any_market(simulated: Dispatcher) -> None:
    _, board = await simulated.ask_line("monitor")
    gpus = [row.gpu_name for row in board.price_trends]
    assert len(gpus) >= 2
    found = await figures(simulated, gpus)
    assert len({shown.question.split()[0] for shown in found}) >= 8
    assert contradictions(found) == []


async def test_every_verb_with_an_answer_about_the_market_is_walked() -> None:
    asked = {command.name for command in COMMANDS if command.path and command.shared}
    assert asked == set(FIGURES)


async def test_where_definitions_differ_so_do_the_names() -> None:
    for (one, other), why in DIFFERENT.items():
        assert ";" in why
        assert one != other


async def test_no_offer_is_cheaper_than_the_floor(simulated: Dispatcher) -> None:
    _, board = await simulated.ask_line("monitor")
    for row, verb in itertools.product(board.price_trends, ("availability", "savings", "history")):
        _, answer = await simulated.ask_line(f"{verb} {row.gpu_name}")
        bids = [offer.spot_price for offer in answer.offers_now if offer.spot_price is not None]
        assert bids
        assert min(bids) >= row.floor_price


COMPARED = re.compile(r"on demand costs no more than spot now.*?\((\S+) against (\S+)\)")


def texts(card: Card) -> list[str]:
    """The sentences of a card."""
    return [card.lead, *card.notes]


async def test_spot_and_on_demand_are_compared_alike_wherever_they_are(simulated: Dispatcher) -> None:
    _, board = await simulated.ask_line("monitor")
    words = Words("en", simulated.clock())
    for row, verb in itertools.product(board.price_trends, ("monitor", "savings", "availability", "history")):
        command, answer = await simulated.ask_line(f"{verb} {row.gpu_name}")
        said = [pair for text in texts(command.card(answer, words)) for pair in COMPARED.findall(text)]
        cheaper = row.on_demand_price is not None and row.on_demand_price <= row.current_price
        assert said == ([(words.money(row.on_demand_price), words.money(row.current_price))] if cheaper else []), verb


LEADS: dict[str, Callable[[Any, Words], list[str]]] = {
    "predict {gpu}": lambda a, w: [w.money(a.current_price)],
    "savings {gpu} 100h": lambda a, w: [w.money(a.price_per_hour), w.money(a.cost_dumont)],
    "availability {gpu}": lambda a, w: [str(a.total_available)],
    "reliability {gpu}": lambda a, w: [w.share(a.reliability_score, 1)],
    "history {gpu} days=30": lambda a, w: [w.money(a.stats.first_day), w.money(a.stats.last_day)],
    "monitor {gpu}": lambda a, w: [w.money(a.price_trends[0].current_price)],
    "fleet 500 training medium": lambda a, w: [str(a.total_gpus), w.money(a.monthly_cost)],
    "cost llama2-7b 50GB": lambda a, w: [w.money(a.cost_dumont), f"{a.gpu_recommendations[0].gpus}× {a.gpu_name}"],
    "llm 7B": lambda a, w: [w.money(a.recommendations[0].price_per_hour)],
}
"""Question -> the figures of the answer that its first line must show, as they are written elsewhere."""


@pytest.mark.parametrize("line", LEADS)
async def test_the_first_line_shows_the_numbers_of_the_answer(dispatcher: Dispatcher, line: str) -> None:
    words = Words("en", dispatcher.clock())
    for gpu in NAMES if "{gpu}" in line else NAMES[:1]:
        command, answer = await dispatcher.ask_line(line.format(gpu=gpu))
        lead = command.card(answer, words).lead
        for figure in LEADS[line](answer, words):
            assert figure in lead, (figure, lead)


@pytest.mark.parametrize("line", [*LEADS, "history {gpu}"])
async def test_money_in_a_card_is_written_in_one_way(dispatcher: Dispatcher, line: str) -> None:
    words = Words("en", dispatcher.clock())
    for gpu in NAMES if "{gpu}" in line else NAMES[:1]:
        command, answer = await dispatcher.ask_line(line.format(gpu=gpu))
        card = command.card(answer, words)
        amounts = re.findall(r"\$([\d,.]*\d)", " ".join([card.lead, *card.notes]))
        for text in amounts:
            dollars = float(text.replace(",", ""))
            assert f"${text}" in (words.money(dollars), words.money(dollars, 0)), card
