import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.answers.savings import HOURS_IN_YEAR, Use, savings
from analytics.catalog import CloudPrice, load_catalog
from analytics.evidence import Basis, plain
from analytics.hardware.comparators import (
    CLOUDS,
    LEAST_MEMORY,
    MOST_MEMORY,
    SPEED_FACTOR,
    comparator,
    price_age_days,
    work_ratio,
)
from analytics.market import DAY, Quote

CATALOG = load_catalog()
NOW = 1_795_437_600  # 2026-11-23
BASIS = Basis(now=NOW, as_of=NOW, interval=300, first_at=NOW - 30 * DAY, offers=12)
GUIDE_KEYS = (
    "gpu_name", "hours", "cost_dumont", "cost_aws", "cost_gcp", "cost_azure", "savings_vs_aws", "savings_percent",
    "roi_annual",
)  # fmt: skip


def quote(price: int | None) -> Quote:
    return Quote(NOW, price, price, price, price, price, 12, 20, 9)


def asked(model: str, price: int | None = 400_000, **use: float):
    return savings(model, quote(price), Use(**use), CATALOG, BASIS)


def caveats(answer) -> str:
    return " ".join(map(str, answer.evidence.caveats))


def test_the_guides_keys_come_first_with_its_types():
    answer = plain(asked("RTX 4090", hours=100))
    assert tuple(answer)[: len(GUIDE_KEYS)] == GUIDE_KEYS
    assert answer["gpu_name"] == "RTX 4090"
    assert all(isinstance(answer[key], (int, float)) for key in GUIDE_KEYS[1:])


def test_100_hours_of_an_rtx_4090():
    """AWS has none in our list; its nearest is the L4 at $0.8048, for 165.2 x .42 / (121 x .35) of the hours."""
    answer = asked("RTX 4090", hours=100)
    assert (answer.cost_dumont, answer.cost_aws, answer.savings_vs_aws) == (40.0, 80.48, 40.48)
    assert answer.savings_percent == pytest.approx(50.3)
    assert answer.roi_percent == pytest.approx(101.2)
    assert answer.roi_annual == pytest.approx(0.4048 * 8760)
    aws = answer.comparators[0]
    assert (aws.gpu_name, aws.instance, aws.same_gpu, aws.date) == ("L4", "g6.xlarge", False, "2026-09-17")
    assert aws.hours_same_work == pytest.approx(100 * 165.2 * 0.42 / (121 * 0.35), rel=0.001)
    assert aws.cost_same_work == pytest.approx(0.8048 * aws.hours_same_work, rel=0.001)
    assert (answer.cost_aws_same_work, answer.savings_percent_same_work) == (
        aws.cost_same_work, aws.savings_percent_same_work,
    )  # fmt: skip
    told = "RTX 4090 is not in our price list of these clouds; the nearest GPU there: AWS L4, GCP L4"
    assert told in caveats(answer)
    assert "AWS has no" not in caveats(answer)


def test_the_same_gpu_is_compared_where_it_is_sold():
    answer = asked("H100 SXM", 2_000_000)
    assert [(c.cloud, c.gpu_name, c.same_gpu) for c in answer.comparators] == [(x, "H100 SXM", True) for x in CLOUDS]
    assert all(c.cost == c.cost_same_work for c in answer.comparators)


def test_a_cloud_without_a_comparable_gpu_gives_null_and_says_so():
    answer = asked("RTX 3090")
    assert answer.cost_azure is None
    assert answer.cost_aws is not None
    assert "nothing in our price list compares with RTX 3090: Azure" in caveats(answer)


@pytest.mark.parametrize("model", ["Wunderkarte 7", "Tesla P40"])
def test_a_gpu_that_cannot_be_compared_has_its_own_cost_only(model):
    answer = asked(model)
    assert answer.cost_dumont == 40.0
    assert (answer.cost_aws, answer.cost_gcp, answer.cost_azure, answer.savings_percent) == (None,) * 4
    assert (answer.roi_annual, answer.roi_percent) == (None, None)
    assert model in caveats(answer)


def test_nothing_on_offer_gives_the_clouds_costs_only():
    answer = asked("RTX 4090", None)
    assert (answer.cost_dumont, answer.savings_vs_aws, answer.roi_annual) == (None, None, None)
    assert answer.cost_aws == 80.48
    assert "no RTX 4090 with a spot price" in caveats(answer)
    assert savings("RTX 4090", None, Use(), CATALOG, BASIS).price_per_hour is None


def test_a_rebuilt_card_computes_like_the_one_as_sold():
    answer = asked("RTX 4090 48GB")
    assert answer.comparators[0].gpu_name == "L40S"


def test_old_prices_are_flagged_once():
    later = savings("H200", quote(400_000), Use(), CATALOG, replace(BASIS, now=NOW + DAY))
    told = [str(note) for note in later.evidence.caveats if "days old" in str(note)]
    assert told == ["cloud prices more than 90 days old: AWS 2026-07-26; Azure 2026-07-26"]
    fresh = savings("RTX 4090", quote(400_000), Use(), CATALOG, replace(BASIS, now=NOW - 60 * DAY))
    assert "days old" not in caveats(fresh)


@pytest.mark.parametrize(
    ("model", "cloud", "other"),
    [
        ("RTX PRO 6000 WS", "AWS", "RTX PRO 6000 S"),
        ("H200 NVL", "GCP", "H200"),
        ("A100 PCIE 40GB", "AWS", "A100 SXM4 40GB"),
    ],
)  # fmt: skip
def test_the_same_chip_in_another_edition_is_the_nearest(model, cloud, other):
    answer = asked(model)
    found = {c.cloud: c for c in answer.comparators}[cloud]
    assert (found.gpu_name, found.same_chip, found.same_gpu) == (other, True, False)
    assert "the same chip in another edition: " in caveats(answer)
    assert f"{cloud} {other}" in caveats(answer)


def test_a_blackwell_card_is_compared_with_the_machine_that_has_it():
    """offers-blackwell: $0.80 against G7e, at most $4.143 a GPU-hour, saves at most 81 %, not 90 against an H200."""
    answer = asked("RTX PRO 6000 S", 800_000, hours=100)
    aws = answer.comparators[0]
    assert (aws.gpu_name, aws.instance) == ("RTX PRO 6000 S", "g7e.2xlarge")
    assert answer.savings_percent == answer.savings_percent_same_work == pytest.approx(76.21, abs=0.01)


def test_on_demand_that_costs_no_more_is_told():
    same = savings("RTX 4090", replace(quote(400_000), on_demand=400_000), Use(), CATALOG, BASIS)
    assert "on demand costs no more than spot now, and is not interrupted: RTX 4090 ($0.400 against $0.400)" in caveats(
        same
    )
    dear = savings("RTX 4090", replace(quote(400_000), on_demand=400_100), Use(), CATALOG, BASIS)
    assert "costs no more" not in caveats(dear)


@pytest.mark.parametrize(("date", "days"), [("2026-11-23", 0), ("2026-11", 22), ("2026", 326), ("2026-08-25", 90)])
def test_a_dates_age_counts_from_the_earliest_day_it_can_mean(date, days):
    assert price_age_days(date, NOW) == days


def test_of_two_prices_for_one_gpu_the_lower_is_compared():
    dear = replace(CATALOG.cloud_prices[0], usd_per_gpu_hour=99.0)
    cheap = CloudPrice("AWS", "H100 SXM", "p5.x", 5.0, "r", "on_demand", "2026-11-01", "s", "")
    gpu = CATALOG.gpu("H100 SXM")
    found = comparator("AWS", gpu, replace(CATALOG, cloud_prices=(dear, cheap)), NOW)
    assert found.usd_per_gpu_hour == 5.0
    assert not found.old


@pytest.mark.parametrize("tflops", [121 * SPEED_FACTOR + 1, 121 / SPEED_FACTOR - 1])
def test_a_gpu_of_the_right_memory_but_another_class_of_speed_does_not_compare(tflops):
    l4 = tuple(price for price in CATALOG.cloud_prices if price.gpu == "L4")
    card = replace(CATALOG.gpu("RTX 5080"), bf16_tflops=tflops)
    assert comparator("AWS", card, replace(CATALOG, cloud_prices=l4), NOW) is None
    assert comparator("AWS", replace(card, bf16_tflops=100.0), replace(CATALOG, cloud_prices=l4), NOW)


@pytest.mark.parametrize("gpu", [gpu for gpu in CATALOG.gpus if gpu.has_bf16], ids=lambda gpu: gpu.name)
def test_a_gpu_with_bf16_is_never_compared_with_one_without(gpu):
    """An RTX 5090 against a V100 32GB seemed to save 97 %."""
    found = [c for cloud in CLOUDS if (c := comparator(cloud, gpu, CATALOG, NOW))]
    assert all(CATALOG.gpu(c.gpu_name).has_bf16 for c in found)


def test_an_older_gpu_still_compares_with_those_without_bf16():
    assert comparator("AWS", CATALOG.gpu("RTX 2080 Ti"), CATALOG, NOW).gpu_name == "Tesla T4"


def test_equal_gpus_of_other_build_are_the_nearest_of_all():
    """A100 PCIE and SXM4 have the same memory and rate: a distance of nought must not be taken for none."""
    assert comparator("AWS", CATALOG.gpu("A100 PCIE 80GB"), CATALOG, NOW).gpu_name == "A100 SXM4 80GB"


@pytest.mark.parametrize("gpu", CATALOG.gpus, ids=lambda gpu: gpu.name)
def test_a_comparator_keeps_to_the_thresholds(gpu):
    for cloud in CLOUDS:
        found = comparator(cloud, gpu, CATALOG, NOW)
        if found and not found.same_gpu:
            other = CATALOG.gpu(found.gpu_name)
            assert LEAST_MEMORY <= other.vram_gb / gpu.vram_gb <= MOST_MEMORY
            assert abs(math.log(other.tflops / gpu.tflops)) <= math.log(SPEED_FACTOR) + 1e-9


def test_work_ratios_of_two_gpus_are_each_others_inverse():
    a, b = CATALOG.gpu("RTX 4090"), CATALOG.gpu("L4")
    assert work_ratio(a, b, CATALOG) * work_ratio(b, a, CATALOG) == pytest.approx(1, abs=0.001)
    assert work_ratio(a, a, CATALOG) == 1
    assert work_ratio(CATALOG.gpu("Tesla P40"), a, CATALOG) is None


@given(
    model=st.sampled_from([gpu.name for gpu in CATALOG.gpus]),
    price=st.integers(1_000, 20_000_000),
    hours=st.floats(0.01, 1e6),
    year=st.floats(0, 1e6),
)
def test_the_identities_hold_for_any_model_price_and_time(model, price, hours, year):
    answer = asked(model, price, hours=hours, hours_per_year=year)
    assert answer.hours_per_year <= HOURS_IN_YEAR
    if answer.cost_aws is None:
        assert answer.savings_vs_aws is answer.savings_percent is answer.roi_annual is answer.roi_percent is None
        return
    ours, theirs = price / 1e6, answer.comparators[0].usd_per_gpu_hour
    assert answer.savings_vs_aws == pytest.approx(answer.cost_aws - answer.cost_dumont, abs=2e-4)
    assert answer.savings_percent == pytest.approx(100 * (theirs - ours) / theirs, abs=0.006)
    assert answer.savings_percent < 100
    assert answer.roi_percent == pytest.approx(100 * (theirs - ours) / ours, abs=0.006)
    assert answer.roi_annual == pytest.approx((theirs - ours) * min(year, 8760), abs=1e-4)
    assert abs(answer.roi_annual) <= HOURS_IN_YEAR * abs(theirs - ours) + 1e-4


def test_a_price_of_few_machines_is_told():
    few = savings("RTX 4090", replace(quote(400_000), machines=2), Use(), CATALOG, BASIS)
    assert "prices that rest on fewer than 3 machines are hardly medians: RTX 4090 (2)" in caveats(few)
    assert "hardly medians" not in caveats(asked("RTX 4090"))


def test_where_spot_saves_nothing_it_says_so():
    dear = asked("RTX 4090", 900_000)
    assert dear.savings_percent < 0
    assert "spot is dearer here than AWS on demand: $0.900 against $0.805 per GPU-hour (L4)" in caveats(dear)
    assert "than Azure on demand" not in caveats(dear)
    assert "dearer" not in caveats(asked("RTX 4090"))
