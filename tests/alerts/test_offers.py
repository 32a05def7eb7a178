"""Which machines match a rule for renters, and what readings of them come to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from analytics.market import Offer
from analytics.vast_commands import bid_price
from bot.alerts.codec import dump, load_rule, load_state
from bot.alerts.decide import Decision, Event, EventKind, Reason, decide
from bot.alerts.explain import explain
from bot.alerts.offer_messages import command_line
from bot.alerts.offers import MOST_LISTED, MOST_MATCHES, Match, all_in, lowest_bid, matches
from bot.alerts.quiet import Quiet
from bot.alerts.rules import Direction, Kind, Measure, OfferFilter, Rule, Series
from bot.alerts.state import MOST_TOLD, Reading, State, Status, initial, snoozed

START, STEP = 1_790_000_000, 300
RULE = Rule(Kind.OFFER, Series("RTX 4090", measure=Measure.OFFER), 300_000, readings=1, created_at=START)
WANTED = replace(RULE, series=replace(RULE.series, region="EU-*"), offer=OfferFilter(2, 980_000, 100))
PAIR = Offer(
    "RTX 4090", 7, 2, 600_000, 200_000, gpu_ids=(0, 1), region="EU-North", reliability=0.98, offer_id=70,
    end_date=START + 9, storage_cost=150_000, disk_gb=100,
)  # fmt: skip


def test_the_price_of_disk_is_shared_by_the_gpus_to_the_micro_dollar() -> None:
    # 0.15 USD x 100 GB = 15 USD a month = 0.0208333 an hour, for two GPUs 0.01041666 each
    assert all_in(PAIR, 100) == 210_417
    assert all_in(replace(PAIR, storage_cost=144_000), 100) == 210_000
    assert all_in(PAIR, 0) == 200_000
    assert all_in(replace(PAIR, storage_cost=None), 100) is None
    assert all_in(replace(PAIR, min_bid=None), 0) is None
    (found,) = matches([PAIR], WANTED)
    assert found == Match(7, 70, 2, 210_417, 200_000, "EU-North", 980_000, START + 9)
    assert matches([PAIR], replace(WANTED, threshold=210_417)) == ()
    assert matches([PAIR], replace(WANTED, threshold=210_417, at_threshold=True)) == (found,)
    assert matches([PAIR], replace(WANTED, threshold=210_418)) == (found,)


@pytest.mark.parametrize(
    "lacks",
    [
        {"num_gpus": 1, "gpu_ids": (0,)},
        {"reliability": 0.9799},
        {"reliability": None},
        {"region": "US-East"},
        {"disk_gb": 99},
        {"disk_gb": None},
        {"storage_cost": None},
        {"storage_cost": 1_440_000},
        {"min_bid": 300_000},
        {"min_bid": None},
        {"rentable": False},
        {"verified": False},
    ],
    ids=str,
)
def test_what_an_offer_lacks_excludes_it(lacks: dict[str, Any]) -> None:
    assert matches([PAIR], WANTED)
    assert matches([replace(PAIR, **lacks)], WANTED) == ()


def test_a_machine_is_listed_once_with_the_smallest_slice_that_serves() -> None:
    four = replace(PAIR, num_gpus=4, gpu_ids=(0, 1, 2, 3), offer_id=71)
    single = replace(PAIR, num_gpus=1, gpu_ids=(0,), offer_id=69)
    other = replace(PAIR, machine_id=8, min_bid=100_000)
    assert [(m.machine_id, m.num_gpus) for m in matches([four, single, PAIR, other], WANTED)] == [(8, 2), (7, 2)]
    assert [m.num_gpus for m in matches([four, single], WANTED)] == [4]


def test_the_lowest_bid_is_below_every_price_that_matches() -> None:
    book = [replace(PAIR, machine_id=n, min_bid=200_000 + n) for n in range(5)]
    assert lowest_bid(book, "EU-*") == 200_000
    assert lowest_bid(book, "US-*") is None
    assert lowest_bid([replace(PAIR, verified=False), replace(PAIR, rentable=False)], "") is None
    assert all(m.price >= 200_000 for m in matches(book, WANTED))


def test_a_bid_is_for_the_whole_slice_and_never_below_its_least() -> None:
    (match,) = matches([PAIR], WANTED)
    assert bid_price(match.bid, match.num_gpus) == "0.4000"
    assert bid_price(133_333, 3) == "0.4000"  # 0.40 dollars kept a GPU
    assert command_line(match, 100) == "vastai create instance 70 --image IMAGE --disk 100 --bid_price 0.4000"
    assert "--disk GB " in command_line(match, 0)


@dataclass
class Run:
    """One rule and its readings, five minutes apart."""

    rule: Rule = RULE
    at: int = START
    state: State = field(init=False)
    last: Decision = field(init=False)

    def __post_init__(self) -> None:
        self.state = initial(self.rule)

    def reads(self, *machines: int, after: int = STEP, bound: Direction | None = None) -> Event | None:
        self.at += after
        some = tuple(Match(id_, 10 * id_, 1, 250_000 + id_, 250_000, "EU-North", None, None) for id_ in machines)
        reading = Reading(self.at, 240_000, STEP, bound=bound, matches=some)
        return self._take(reading)

    def _take(self, reading: Reading | None) -> Event | None:
        self.last = decide(self.rule, self.state, reading, self.at)
        self.state = self.last.state
        return self.last.events[0] if self.last.events else None

    def waits(self, seconds: int) -> Event | None:
        self.at += seconds
        return self._take(None)

    def nothing(self, *, believable: bool) -> Event | None:
        self.at += STEP
        return self._take(Reading(self.at, None, STEP, believable))


def told(event: Event | None) -> Any:
    return event and (event.kind, [offer.machine_id for offer in event.offers or ()])


def test_it_tells_of_each_machine_once_and_ends_when_none_matches() -> None:
    run = Run()
    assert run.reads() is None
    assert run.last.reason is Reason.NONE_MATCHES
    assert told(run.reads(1, 2)) == (EventKind.FIRE, [1, 2])
    assert run.reads(1, 2) is None
    assert told(run.reads(1, 3, 2)) == (EventKind.MORE, [3])
    assert run.reads(2) is None
    assert told(run.reads()) == (EventKind.RESOLVE, [])
    assert run.reads(1, 2, 3) is None
    assert (run.state.status, run.last.reason) == (Status.OK, Reason.ALL_TOLD)
    again = run.reads(1, 4)
    assert (told(again), again and (again.machines, again.matching, again.value)) == (
        (EventKind.FIRE, [4]),
        (1, 2, 250_004),
    )


def test_it_takes_as_many_readings_in_a_row_as_the_rule_says() -> None:
    run = Run(replace(RULE, readings=2))
    assert [run.reads(1), run.reads(), run.reads(1)] == [None] * 3
    assert told(run.reads(2)) == (EventKind.FIRE, [2])
    assert run.last.matching == 1


def test_new_machines_wait_for_the_least_interval_and_are_told_together() -> None:
    run = Run(replace(RULE, min_interval=3 * STEP))
    run.reads(1)
    assert [run.reads(1, 2), run.reads(1, 2, 3)] == [None, None]
    assert run.last.reason is Reason.TOO_SOON
    assert told(run.reads(1, 2, 3)) == (EventKind.MORE, [2, 3])


def test_a_fire_that_is_held_back_is_told_of_as_it_is_then() -> None:
    minute = START % 86_400 // 60
    run = Run(replace(RULE, quiet=Quiet(minute, minute + 12)))
    assert [run.reads(1), run.reads(1, 2), run.waits(120)] == [None] * 3
    assert told(run.reads(2)) == (EventKind.FIRE, [2])
    assert run.state.told_machines == (2,)


def test_a_fire_that_nobody_was_told_of_ends_silently() -> None:
    run = Run()
    run.state = snoozed(run.state, START + 3 * STEP)
    assert [run.reads(1), run.reads()] == [None, None]
    assert (run.last.reason, run.state.suppressed) == (Reason.RESOLVED_UNTOLD, 1)


def test_a_reminder_tells_of_all_that_match() -> None:
    run = Run(replace(RULE, repeat_seconds=2 * STEP))
    run.reads(1)
    assert run.reads(1) is None
    assert told(run.reads(1)) == (EventKind.REPEAT, [1])


def test_what_is_no_reading_changes_nothing() -> None:
    run = Run()
    run.reads(1)
    before = run.state
    assert [run.nothing(believable=True), run.nothing(believable=False), run.waits(1)] == [None] * 3
    assert replace(run.state, heard_at=before.heard_at) == before


def test_a_probe_tells_of_new_machines_and_ends_nothing() -> None:
    run = Run()
    assert run.reads(bound=Direction.BELOW) is None
    assert not run.state.armed
    assert told(run.reads(1, bound=Direction.BELOW)) == (EventKind.FIRE, [1])
    assert [run.reads(bound=Direction.BELOW), run.reads(1, bound=Direction.BELOW)] == [None, None]
    assert run.state.status is Status.FIRING
    assert told(run.reads(2, bound=Direction.BELOW)) == (EventKind.MORE, [2])


def test_what_is_remembered_and_listed_is_bounded() -> None:
    run = Run()
    event = run.reads(*range(1, 1 + MOST_MATCHES))
    assert event is not None
    assert (len(event.offers or ()), event.machines) == (MOST_LISTED, MOST_MATCHES)
    assert run.reads(*range(1, 1 + MOST_MATCHES)) is None, "all of one reading are remembered"
    run.reads(5, 9_999)
    assert (len(run.state.told_machines), run.state.told_machines[-2:]) == (MOST_TOLD, (5, 9_999))


def test_where_it_stands_is_said_in_words() -> None:
    run = Run()
    says = []
    for machines in ((), (1, 2), (1, 2), (), (1, 2)):
        run.reads(*machines)
        says.append(str(explain(run.rule, run.last, run.at)))
    assert says == [
        "cheapest that matches: none; the market's lowest bid is $0.24",
        "machines that match: 2",
        "machines that match: 2: fired already, over once none does",
        "over: none matches any more; the market's lowest bid is $0.24",
        "machines that match: 2; none is new",
    ]


def test_rules_and_states_of_before_are_read() -> None:
    old_rule = dump(replace(RULE, kind=Kind.BELOW)).replace('"offer":null,', "")
    old_state = dump(initial(RULE)).replace(',"told_machines":[]', "")
    assert '"offer":null' not in old_rule
    assert "told_machines" not in old_state
    assert (load_rule(old_rule), load_state(old_state)) == (replace(RULE, kind=Kind.BELOW), initial(RULE))
    assert load_rule(dump(WANTED)) == WANTED
    state = replace(initial(RULE), told_machines=(3, 4))
    assert load_state(dump(state)) == state
