"""A price that falls for a while on the simulated market: the bids of one model, and what the demo says to type."""

from __future__ import annotations

from pathlib import Path

from analytics.market import Poll, Quality
from bot.cli.demo import SHOCKED, shock_hint
from bot.polling.rounds import Collector
from bot.sources.price_shock import PriceShock
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import open_store
from tests.fakes.stored import NOW


def bids(market: SimulatedMarket, model: str, at: int) -> list[int]:
    return [offer.min_bid or 0 for offer in market.offers(model, at)]


def test_only_the_bids_of_one_model_fall_and_only_meanwhile() -> None:
    plain, shocked = SimulatedMarket(7, NOW), SimulatedMarket(7, NOW)
    shocked.shock = PriceShock(SHOCKED, NOW + 100, NOW + 200)
    for at in (NOW + 99, NOW + 100, NOW + 199, NOW + 200):
        part = 70 if NOW + 100 <= at < NOW + 200 else 100
        assert bids(shocked, SHOCKED, at) == [bid * part // 100 for bid in bids(plain, SHOCKED, at)]
        assert bids(shocked, "RTX 3090", at) == bids(plain, "RTX 3090", at)
        assert [one.on_demand for one in shocked.offers(SHOCKED, at)] == [
            one.on_demand for one in plain.offers(SHOCKED, at)
        ]


async def test_the_demo_says_what_to_type_between_the_two_prices(tmp_path: Path) -> None:
    market = SimulatedMarket(7, NOW)
    store = await open_store(f"sqlite:///{tmp_path / 'demo.db'}", writer=True)
    try:
        shock = PriceShock(SHOCKED, NOW + 90, NOW + 690)
        assert "none is on offer" in await shock_hint(store, shock)
        polls = [Poll(SHOCKED, NOW, Quality.COMPLETE, market.offers(SHOCKED, NOW), 300)]
        await Collector(store).record(NOW, polls)
        async with store.reader() as reader:
            price = (await reader.quotes([SHOCKED]))[SHOCKED].price
        assert price is not None
        assert f"alert {SHOCKED} < {price * 0.85 / 1e6:.3f}" in await shock_hint(store, shock)
        assert await shock_hint(store, None) == ""
    finally:
        await store.close()
