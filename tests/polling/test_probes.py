"""Rules between full polls: a market that answers searches, the program's loop, and a clock moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from analytics.market import DAY, HOUR
from bot.alerts.engine import ProbedSeries, evaluate, evaluate_probe
from bot.alerts.noticing import CONFIRM_POLL_SECONDS, CONFIRM_SECONDS, Noticing, notices_within, noticing
from bot.alerts.rules import Direction, Kind, Metric, OfferFilter, Rule
from bot.alerts.state import Status, initial
from bot.polling.poller import Poller
from bot.polling.probes import PROBE_SECONDS, Probes, row_share
from bot.polling.rounds import Collector
from bot.sources.vast import VastSource
from bot.store.engine import Store, open_store
from bot.store.reader import Reader
from tests.fakes.alerting import MODEL, START, Market, market, rule
from tests.fakes.polling import HandClock, run
from tests.fakes.vast import FakeVast, Say, offer_row

RARELY = 6 * HOUR
SLACK_S = 30
"""Seconds of requests and steps beside the pauses."""

BUDGET = 20_000
FLOOR = rule(Kind.BELOW, 350_000, metric=Metric.FLOOR)
Rows = list[dict[str, Any]]


@pytest.fixture
async def store(sqlite_tables: str) -> AsyncIterator[Store]:
    opened = await open_store(sqlite_tables, writer=True)
    yield opened
    await opened.close()


def machines(count: int, price: float = 0.4, first: int = 0, gpus: int = 1) -> Rows:
    """Machines with one slice each at so many dollars per GPU-hour."""
    return [
        offer_row(
            n, num_gpus=gpus, gpu_ids=[8 * n + i for i in range(gpus)], min_bid=gpus * price,
            dph_base=gpus * 0.8, end_date=2e9,
        )
        for n in range(first, first + count)
    ]  # fmt: skip


FEW_CHEAP = machines(26) + machines(11, 0.3, first=50)
"""Eleven cheap machines of many: every search for them brings them, and they do not move the price."""


@dataclass(slots=True)
class Bench:
    """A market, what watches it, and the rules."""

    fake: FakeVast
    rules: Market
    poller: Poller
    probes: Probes
    clock: HandClock
    store: Store

    async def pass_(self, seconds: int, *, stride: int = 1) -> None:
        """``stride``: seconds between two turns at least, for long waits of which the second does not matter."""
        await run(self.poller, self.clock, seconds, stride=stride)

    @property
    def probed(self) -> Rows:
        """The probes that were made."""
        return [query for query in self.fake.queries if query["limit"] <= 16]

    @property
    def polls(self) -> int:
        return len(self.fake.queries) - len(self.probed)

    async def add(self, new: Rule, *, armed: bool = True) -> str:
        """Store a rule that a reading has lain on the other side of."""
        return await self.rules.add(new, replace(initial(new), armed=armed))

    async def spent(self) -> int:
        async with self.store.reader() as reader:
            return (await reader.quota(self.clock() // DAY))[0]

    async def until_told(self, public_id: str, most: int) -> int | None:
        """Seconds until a rule has told of something."""
        for second in range(0, most, 5):
            if await self.rules.told(public_id):
                return second
            await self.pass_(5)
        return None


@asynccontextmanager
async def bench(
    store: Store, rows: Rows, wish: int = RARELY, names: tuple[str, ...] = (MODEL,)
) -> AsyncIterator[Bench]:
    """Rules on what one name means, polled for the first time a moment ago."""
    clock = HandClock(START)
    async with FakeVast(rows) as fake, aclosing(VastSource(fake.url)) as source:
        fake.tells_time = False
        probes = Probes(store, source.probe)
        poller = Poller(
            store=store,
            source=source,
            collector=Collector(store, on_round=evaluate),
            clock=clock.steady,
            names=names,
            budget=BUDGET,
            wish=wish,
            probes=probes,
        )
        await poller.once()
        yield Bench(fake, Market(store), poller, probes, clock, store)


@pytest.mark.parametrize("wanted", [12, 40])
async def test_while_nothing_meets_a_rule_probes_cost_no_rows(store: Store, wanted: int) -> None:
    async with bench(store, machines(10)) as watched:
        await watched.add(FLOOR)
        await watched.add(rule(Kind.AVAILABLE, wanted))  # the ten GPUs that there are would fit into an answer
        await watched.pass_(HOUR)
        assert HOUR // PROBE_SECONDS <= len(watched.probed) / 2 <= HOUR // PROBE_SECONDS + 1
        assert (await watched.spent(), watched.probes.rows_today, watched.polls) == (10, 0, 1)
        assert watched.probes.requests_today == len(watched.probed)


async def test_without_a_rule_nothing_is_probed(store: Store) -> None:
    async with bench(store, machines(10)) as watched:
        await watched.add(rule(Kind.ABOVE, 450_000))
        await watched.add(rule(Kind.ABOVE, 450_000, metric=Metric.FLOOR))
        await watched.pass_(HOUR)
        assert watched.probed == []


async def test_a_floor_below_the_threshold_is_told_of_after_two_probes(store: Store) -> None:
    async with bench(store, machines(10)) as watched:
        cheap = await watched.add(FLOOR)
        cheaper = await watched.add(rule(Kind.BELOW, 300_000, metric=Metric.FLOOR))
        await watched.pass_(200)
        watched.fake.rows += machines(1, 0.32, first=50)
        assert 0 < (await watched.until_told(cheap, HOUR) or 0) <= PROBE_SECONDS + CONFIRM_SECONDS + 5
        (message,) = await watched.rules.messages(cheap)
        assert (message.kind, message.payload["event"]["value"]) == ("fire", 320_000)
        assert await watched.rules.told(cheaper) == []
        assert watched.polls == 1


async def test_a_rule_just_made_is_probed_before_any_poll(store: Store) -> None:
    async with bench(store, machines(10, 0.3)) as watched:
        public_id = await watched.add(FLOOR, armed=False)
        assert (await watched.until_told(public_id, HOUR) or HOUR) <= 60
        (message,) = await watched.rules.messages(public_id)
        assert message.payload["event"]["already"] is True
        assert watched.polls == 1


async def test_a_rule_that_fires_is_probed_no_more_and_only_a_poll_resolves_it(store: Store) -> None:
    async with bench(store, machines(10)) as watched:
        public_id = await watched.add(FLOOR)
        watched.fake.rows += machines(1, 0.32, first=50)
        assert await watched.until_told(public_id, HOUR)
        before = len(watched.probed)
        watched.fake.rows.pop()
        await watched.pass_(2 * HOUR, stride=60)
        assert len(watched.probed) == before
        assert (await watched.rules.state(public_id)).status is Status.FIRING
        await watched.pass_(RARELY, stride=60)
        assert watched.polls == 2
        assert (await watched.rules.state(public_id)).status is Status.OK


async def test_what_the_confirming_probe_does_not_find_is_not_told(store: Store) -> None:
    async with bench(store, machines(10)) as watched:
        public_id = await watched.add(FLOOR)
        for _ in range(4):  # there at one probe, gone at the next
            watched.fake.rows += machines(1, 0.32, first=50)
            made = len(watched.probed)
            while len(watched.probed) == made:
                await watched.pass_(1)
            assert (await watched.rules.state(public_id)).status is Status.PENDING
            watched.fake.rows.pop()
            await watched.pass_(PROBE_SECONDS)
            state = await watched.rules.state(public_id)
            assert (state.status, state.readings, state.armed) == (Status.OK, 0, True)
        assert await watched.rules.told(public_id) == []


async def test_probes_leave_nothing_in_the_stored_market(store: Store) -> None:
    async with bench(store, machines(10)) as watched:
        public_id = await watched.add(FLOOR)
        before = await stored(store)
        watched.fake.rows += machines(3, 0.2, first=50)
        assert await watched.until_told(public_id, HOUR)
        assert await stored(store) == before


async def stored(store: Store) -> tuple[Any, ...]:
    async with store.reader() as reader:
        return (
            await reader.models(),
            await reader.book([MODEL]),
            await reader.tenants(MODEL),
            await reader.quote_history(MODEL, 0, START + DAY),
            await reader.last_round_at(),
        )


async def test_enough_gpus_are_told_of(store: Store) -> None:
    async with bench(store, machines(2)) as watched:
        some = await watched.add(rule(Kind.AVAILABLE, 5))
        many = await watched.add(rule(Kind.AVAILABLE, 400))
        await watched.pass_(10)
        watched.fake.rows += machines(1, first=50, gpus=4)
        seconds = await watched.until_told(some, HOUR)
        assert seconds is not None
        assert seconds <= PROBE_SECONDS + CONFIRM_POLL_SECONDS + SLACK_S
        (message,) = await watched.rules.messages(some)
        assert message.payload["event"]["value"] == 6
        assert await watched.rules.told(many) == []


async def test_machines_that_are_not_enough_are_brought_once_and_count_with_those_that_come_later(store: Store) -> None:
    async with bench(store, machines(10)) as watched:
        public_id = await watched.add(rule(Kind.AVAILABLE, 14))
        for n in (1, 2, 3):
            watched.fake.rows += machines(1, first=50 + n)
            await watched.pass_(20 * 60)
            assert (await watched.spent(), watched.polls) == (10 + n, 1)
        watched.fake.rows += machines(1, first=90)
        assert await watched.until_told(public_id, 5 * 60) is not None
        (message,) = await watched.rules.messages(public_id)
        assert message.payload["event"]["value"] == 14


async def test_new_machines_that_are_gone_again_fire_nothing(store: Store) -> None:
    async with bench(store, machines(10)) as watched:
        public_id = await watched.add(rule(Kind.AVAILABLE, 12))
        for n in (1, 2):
            watched.fake.rows = machines(10) + machines(1, first=50 + n)
            await watched.pass_(2 * PROBE_SECONDS)
        assert watched.polls == 2
        await watched.pass_(HOUR)
        assert (watched.polls, await watched.rules.told(public_id)) == (2, [])


async def test_machines_of_a_model_with_the_same_name_are_known(store: Store) -> None:
    small, large = (
        [{**row, "gpu_name": "A100 SXM4", "gpu_ram": ram} for row in machines(3, first=first)]
        for ram, first in ((40_960, 0), (81_920, 20))
    )
    async with bench(store, small + large, names=("A100 SXM4",)) as watched:
        await watched.add(rule(Kind.AVAILABLE, 5, model="A100 SXM4 40GB"))
        await watched.pass_(HOUR)
        assert (await watched.spent(), len(watched.probed) > 30) == (6, True)


async def test_a_rule_of_a_region_is_not_met_by_another_region(store: Store) -> None:
    async with bench(store, machines(10)) as watched:
        here = await watched.add(rule(Kind.BELOW, 350_000, metric=Metric.FLOOR, region="US-South"))
        there = await watched.add(rule(Kind.BELOW, 350_000, metric=Metric.FLOOR, region="EU-*"))
        watched.fake.rows += [{**machines(1, 0.32, first=50)[0], "geolocation": "Sweden, SE"}]
        assert await watched.until_told(there, HOUR) is not None
        assert await watched.rules.told(here) == []


@pytest.mark.parametrize(
    ("field", "watched_for"), [("min_bid", FLOOR), ("machine_id", rule(Kind.AVAILABLE, 20))], ids=["floor", "stock"]
)
async def test_a_market_that_ignores_the_filter_is_left_to_full_polls(
    store: Store, field: str, watched_for: Any
) -> None:
    async with bench(store, machines(12)) as watched:
        public_id = await watched.add(watched_for)
        watched.fake.ignored_filters = {field}
        await watched.pass_(5 * HOUR, stride=60)
        assert len(watched.probed) == 1
        assert await watched.spent() == 12 + 12
        await watched.pass_(2 * HOUR, stride=60)
        assert len(watched.probed) == 2
        assert await watched.rules.told(public_id) == []


async def test_a_refused_probe_closes_the_market_for_polls_too(store: Store) -> None:
    refusal = {"error": "search_quota_exceeded", "limit": 5000, "remaining": 0, "retry_after": 2 * HOUR}
    async with bench(store, machines(10), wish=600) as watched:
        await watched.add(FLOOR)
        watched.fake.script.append(Say(429, refusal, {"Date": ""}))
        await watched.pass_(HOUR)
        assert (len(watched.probed), watched.polls) == (1, 1)
        assert await watched.spent() == 10  # what was reserved for the refused probe was given back
        async with store.reader() as reader:
            assert (await reader.quota(watched.clock() // DAY))[1] == 5000


async def test_probes_that_bring_many_rows_are_asked_less_often(store: Store) -> None:
    async with bench(store, FEW_CHEAP) as watched:
        await watched.add(rule(Kind.BELOW, 350_000))
        await watched.pass_(6 * HOUR - 120, stride=45)
        share = row_share(BUDGET * 9 // 10)
        assert share / 5 < await watched.spent() - len(FEW_CHEAP) * watched.polls <= share / 4 + 11


async def test_a_median_that_meets_a_rule_is_polled_again_at_once_and_only_once(store: Store) -> None:
    async with bench(store, machines(10), wish=900) as watched:
        public_id = await watched.add(rule(Kind.BELOW, 350_000))
        holding = await watched.add(rule(Kind.BELOW, 350_000, hold_seconds=DAY))
        watched.fake.rows = machines(10, 0.3)
        await watched.pass_(901)
        assert (watched.polls, await watched.rules.told(public_id)) == (2, [])
        await watched.pass_(90)
        assert (watched.polls, await watched.rules.told(public_id)) == (3, [("fire", "post")])
        await watched.pass_(600)
        assert watched.polls == 3
        assert (await watched.rules.state(holding)).status is Status.PENDING


async def test_a_bound_proves_nothing_of_the_other_side(store: Store) -> None:
    rules = await market(store)
    public_id = await rules.add(rule(Kind.ABOVE, 350_000, metric=Metric.FLOOR))
    await rules.prices(300_000, 400_000)
    async with store.writer() as writer:
        series = await writer.alerts.series()
        probed = {id_: ProbedSeries(500_000, Direction.BELOW, 400_000) for id_ in series}
        await evaluate_probe(writer, probed, rules.at + 10, 300)
    state = await rules.state(public_id)
    assert (state.status, state.readings, await rules.told(public_id)) == (Status.PENDING, 1, [])


RENT = rule(Kind.OFFER, 350_000, offer=OfferFilter(gpus=2, reliability_ppm=980_000))


async def test_an_offer_is_told_of_after_two_probes_with_its_machine(store: Store) -> None:
    async with bench(store, machines(10) + machines(4, first=20, gpus=2)) as watched:
        alert = await watched.add(RENT)
        await watched.pass_(200)
        assert {query["num_gpus"]["eq"] for query in watched.probed} == {2}
        assert {query["min_bid"]["lte"] for query in watched.probed} == {0.7 - 2e-6}
        assert watched.probes.rows_today == 0
        watched.fake.rows += machines(1, 0.32, first=50, gpus=2)
        assert 0 < (await watched.until_told(alert, HOUR) or 0) <= PROBE_SECONDS + CONFIRM_SECONDS + 5
        (message,) = await watched.rules.messages(alert)
        assert [offer["machine_id"] for offer in message.payload["event"]["offers"]] == [1050]
        assert watched.polls == 1
        watched.fake.rows.pop()
        await watched.pass_(HOUR)
        assert await watched.rules.told(alert) == [("fire", "post")], "a probe ends nothing"


async def test_what_a_probe_brings_is_held_against_the_other_filters(store: Store) -> None:
    async with bench(store, machines(4, gpus=2)) as watched:
        alert = await watched.add(RENT)
        poor = machines(1, 0.32, first=50, gpus=2)
        watched.fake.rows += [{**row, "reliability2": 0.9} for row in poor]
        await watched.pass_(HOUR)
        assert await watched.rules.told(alert) == []
        assert watched.probes.rows_today > 0


async def test_a_probe_of_another_size_undoes_no_confirmation(store: Store) -> None:
    async with bench(store, machines(4) + machines(4, first=20, gpus=2)) as watched:
        alert = await watched.add(replace(RENT, offer=OfferFilter(reliability_ppm=980_000)))
        poor = machines(1, 0.32, first=50, gpus=2)
        watched.fake.rows += [{**row, "reliability2": 0.9} for row in poor]
        await watched.pass_(200)
        watched.fake.rows += machines(1, 0.32, first=60)
        assert 0 < (await watched.until_told(alert, HOUR) or 0) <= 2 * PROBE_SECONDS + CONFIRM_SECONDS


async def test_a_restart_goes_on_with_what_probes_have_cost_today(store: Store) -> None:
    async with bench(store, FEW_CHEAP) as watched:
        await watched.add(rule(Kind.BELOW, 350_000))
        await watched.pass_(HOUR)
        before = (watched.probes.rows_today, watched.probes.requests_today)
        assert min(before) > 0
        again = Probes(store, watched.probes.ask)
        await again.read(watched.clock(), ())
        assert (again.rows_today, again.requests_today) == before
        await again.read((watched.clock() // DAY + 1) * DAY, ())
        assert (again.rows_today, again.requests_today) == (0, 0)


async def test_a_probe_killed_before_it_is_recorded_has_been_counted(store: Store) -> None:
    async with bench(store, machines(10, 0.3)) as watched:
        await watched.add(FLOOR)
        ask = watched.probes.ask

        async def killed(*args: Any, **more: Any) -> Any:
            await ask(*args, **more)
            raise KeyboardInterrupt

        watched.probes.ask = killed
        with pytest.raises(KeyboardInterrupt):
            await watched.poller.turn()
        again = Probes(store, ask)
        await again.read(watched.clock(), ())
        assert (again.rows_today, again.requests_today) == (16, 1)
        assert await watched.spent() == 10 + 16


async def test_a_share_that_is_spent_stays_spent_after_a_restart(store: Store) -> None:
    async with bench(store, machines(10)) as watched:
        await watched.add(FLOOR)
        share = row_share(BUDGET * 9 // 10)
        async with store.writer() as writer:
            await writer.probes.spend(watched.clock() // DAY, requests=60, rows=share, share=share)
        watched.probes.forget()
        await watched.pass_(HOUR, stride=60)
        assert watched.probed == []
        await watched.pass_(DAY - watched.clock() % DAY + 60, stride=300)
        assert watched.probed != []


async def test_two_sizes_of_a_model_cost_one_request_a_turn_and_are_asked_by_turns(store: Store) -> None:
    async with bench(store, machines(10) + machines(5, first=20, gpus=2)) as watched:
        public_id = await watched.add(FLOOR)
        await watched.pass_(HOUR)
        asked = [query["num_gpus"]["eq"] for query in watched.probed]
        assert HOUR // PROBE_SECONDS <= len(asked) <= HOUR // PROBE_SECONDS + 1
        assert asked[:4] == [1, 2, 1, 2]
        watched.fake.rows += machines(1, 0.32, first=50, gpus=2)
        assert (await watched.until_told(public_id, HOUR) or HOUR) <= 2 * PROBE_SECONDS + CONFIRM_SECONDS + 5
        *_, met, confirmed = [query["num_gpus"]["eq"] for query in watched.probed]
        assert (met, confirmed) == (2, 2)


async def test_what_a_poll_met_with_is_confirmed_by_each_size_until_one_does(store: Store) -> None:
    async with bench(store, machines(10) + machines(5, first=20, gpus=2)) as watched:
        watched.fake.rows += machines(1, 0.32, first=50, gpus=2)
        at = watched.clock() - 1
        state = replace(initial(FLOOR), status=Status.PENDING, since=at, last_at=at, readings=1, value=320_000)
        public_id = await watched.rules.add(FLOOR, state)
        assert (await watched.until_told(public_id, HOUR) or HOUR) <= 30
        assert [query["num_gpus"]["eq"] for query in watched.probed] == [1, 2]


async def test_enough_cheap_gpus_bring_the_poll_that_tells_of_the_current_price(store: Store) -> None:
    async with bench(store, machines(10, gpus=2)) as watched:
        public_id = await watched.add(rule(Kind.BELOW, 350_000))
        await watched.pass_(1000)
        assert (watched.polls, watched.probes.rows_today) == (1, 0)
        watched.fake.rows = machines(7, 0.3, gpus=2) + machines(3, first=7, gpus=2)
        told = await watched.until_told(public_id, HOUR)
        assert told is not None
        assert told <= PROBE_SECONDS + CONFIRM_POLL_SECONDS + 10
        assert watched.polls == 3  # the second confirms


async def test_too_few_cheap_gpus_bring_no_poll(store: Store) -> None:
    async with bench(store, machines(10, gpus=2)) as watched:
        await watched.add(rule(Kind.BELOW, 350_000))
        watched.fake.rows = machines(3, 0.3, gpus=2) + machines(7, first=3, gpus=2)
        await watched.pass_(2 * HOUR, stride=45)
        assert watched.probes.rows_today > 0
        assert watched.polls == 1


async def test_a_market_that_stays_near_is_polled_early_less_and_less_often(store: Store) -> None:
    async with bench(store, machines(10, gpus=2)) as watched:
        await watched.add(rule(Kind.BELOW, 350_000))
        watched.fake.rows = machines(4, 0.3, gpus=2) + machines(6, first=4, gpus=2)
        await watched.pass_(RARELY - HOUR, stride=45)
        early = watched.polls - 1
        assert 3 <= early <= 6
        assert watched.probes.rows_today >= 4 * early


async def test_a_current_price_is_not_probed_for_where_an_answer_could_prove_nothing(store: Store) -> None:
    async with bench(store, machines(41)) as watched:  # 16 of 41 are less than 40 %
        await watched.add(rule(Kind.BELOW, 350_000))
        await watched.pass_(HOUR)
        assert watched.probed == []


async def test_a_current_price_below_the_threshold_is_not_probed_for(store: Store) -> None:
    async with bench(store, machines(10, 0.3)) as watched:
        await watched.add(rule(Kind.BELOW, 350_000))
        await watched.pass_(HOUR)
        assert watched.probed == []


async def known(reader: Reader, now: int) -> Noticing:
    """What the status tells."""
    followed = {row.name for row in await reader.models() if row.followed}
    return noticing(await reader.probes.last(), await reader.poll_spans(now - DAY), followed, now)


ELSEWHERE = replace(FLOOR, series=replace(FLOOR.series, model="RTX 3090"))
"""A rule of a model that was never probed or polled here: what is known of others is not said of it."""


async def test_how_soon_rules_notice_is_measured_and_stored(store: Store) -> None:
    async with bench(store, machines(10, gpus=2), wish=1800) as watched:
        floor = await watched.add(FLOOR)
        await watched.add(rule(Kind.BELOW, 350_000))
        await watched.pass_(HOUR + 100)
        async with store.reader() as reader:
            now = await known(reader, watched.clock())
            late = await known(reader, watched.clock() + 1000)
        assert PROBE_SECONDS <= (now.floor_seconds or 0) <= PROBE_SECONDS + 10
        assert PROBE_SECONDS <= (now.current_price_seconds or 0) <= PROBE_SECONDS + 10
        assert now.available_seconds is None
        assert 1800 <= (now.polls_seconds or 0) <= 1900
        assert 1000 <= (late.floor_seconds or 0) <= 1000 + PROBE_SECONDS
        assert now.floor_seconds is not None
        one, other = rule(Kind.AVAILABLE, 4), rule(Kind.ABOVE, 1)
        async with store.reader() as reader:
            within = [
                await notices_within(reader, some, 77, watched.clock()) for some in (FLOOR, one, other, ELSEWHERE)
            ]
        by_polls = 77 + CONFIRM_POLL_SECONDS
        assert within == [now.floor_seconds + CONFIRM_SECONDS, by_polls, by_polls, by_polls]
        async with store.writer() as writer:
            found = await writer.alerts.find("slack", "", "T1", floor)
            assert found is not None
            await writer.alerts.delete(found.id, watched.clock())
        await watched.pass_(60)
        async with store.reader() as reader:
            assert (await known(reader, watched.clock())).floor_seconds is None


async def test_a_confirming_probe_does_not_count_as_a_turn(store: Store) -> None:
    async with bench(store, machines(10)) as watched:
        public_id = await watched.add(FLOOR)
        await watched.add(rule(Kind.BELOW, 300_000, metric=Metric.FLOOR))
        await watched.pass_(300)
        watched.fake.rows += machines(1, 0.32, first=50)
        assert await watched.until_told(public_id, HOUR) is not None
        async with store.reader() as reader:
            (last,) = await reader.probes.last()
        assert last.turn_s is not None
        assert PROBE_SECONDS <= last.turn_s <= PROBE_SECONDS + 10
