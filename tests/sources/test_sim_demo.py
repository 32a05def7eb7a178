"""The demo's market shows every kind of answer: what is claimed of it in ``sim_demo`` holds on the market itself."""

import statistics

import pytest

from analytics.market import DAY, HOUR, usd
from bot.sources.sim_calibration import DEFAULT
from bot.sources.sim_demo import DEMO, SEED
from bot.sources.simulated import SimulatedMarket

START, DAYS = 1_787_000_400, 30
FLAT, THIN, STEADY, RESTLESS = "L40", "A100 SXM4 40GB", "H200", "RTX 4090"


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(SEED, START, DEMO)


@pytest.fixture(scope="module")
def looks(market) -> dict[str, list[tuple[float | None, float | None, int]]]:
    """Median bid and on-demand price of a model's verified offers, and how many there are, every six hours."""
    found = {name: [] for name in market.models}
    for at in range(START, START + DAYS * DAY + 1, 6 * HOUR):
        for name, some in found.items():
            offers = [offer for offer in market.offers(name, at) if offer.verified]
            bids, asks = ([usd(offer.min_bid or 0) for offer in offers], [usd(offer.on_demand) for offer in offers])
            some.append((*(statistics.median(one) if one else None for one in (bids, asks)), len(offers)))
    return found


def test_it_has_the_models_of_the_calibrated_market():
    assert [spec.name for spec in DEMO] == [spec.name for spec in DEFAULT]


def test_spot_lies_below_on_demand_almost_everywhere(looks):
    pairs = [(bid, ask) for some in looks.values() for bid, ask, _ in some if bid is not None]
    assert sum(bid < ask for bid, ask in pairs) >= 0.95 * len(pairs)


def test_one_model_hardly_moves_and_one_moves(looks):
    """A median over few slices moves when they are let; its commonest value is what a flat price is."""
    moves = {name: statistics.multimode([bid for bid, _, _ in looks[name]])[0] for name in (FLAT, RESTLESS)}
    same = {name: sum(bid == moves[name] for bid, _, _ in looks[name]) / len(looks[name]) for name in moves}
    assert same[FLAT] > 0.7
    assert same[RESTLESS] < 0.2


def test_one_model_is_thin(looks):
    counts = [count for _, _, count in looks[THIN]]
    assert max(counts) <= 4
    assert 0 < statistics.mean(counts) < 3


def test_hours_between_interruptions_span_the_risks(market, looks):
    del looks  # it has moved the market on
    mtbi = {name: market.truth(name, START, START + DAYS * DAY).mtbi_hours or 0.0 for name in market.models}
    assert mtbi[STEADY] > 100
    assert mtbi[RESTLESS] < 40
    assert sum(mtbi[name] < 40 for name in mtbi) >= 5
    assert sum(40 <= mtbi[name] < 100 for name in mtbi) >= 4
