from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.answers.training import bench_for, training_cost
from analytics.answers.training_runs import BYTES_PER_TOKEN, SAVE_MINUTES, TrainingJob
from analytics.catalog import load_catalog
from analytics.evidence import Basis, plain
from analytics.hardware.checkpoints import Risk
from analytics.hardware.llm_lookup import find_llm
from analytics.hardware.machines import machines
from analytics.hardware.memory import Work
from analytics.market import Offer

CATALOG = load_catalog()
NOW = 1_795_437_600  # 2026-11-23
BASIS = Basis(now=NOW, as_of=NOW, interval=300, first_at=NOW - 86_400, offers=5)
GUIDE_KEYS = ["gpu_name", "estimated_hours", "cost_dumont", "cost_aws", "savings", "savings_percent"]
CALM = Risk(mtbi_hours=72, mtbi_low=40, down_hours=0.5)


def offer(model: str, machine: int = 1, gpus: int = 1, bid: int = 400_000, **more: object) -> Offer:
    return Offer(model, machine, gpus, 600_000, bid, **more)


def job(model: str = "llama2-7b", mode: str = "lora", tokens: float = 1e9, **more: object) -> TrainingJob:
    found = find_llm(model, CATALOG)
    return TrainingJob(found, Work(found.llm, mode), tokens, **more)


def asked(book, wanted=None, risks=None, gpu=()):
    bench = bench_for(wanted or job(), CATALOG, NOW)
    return training_cost(bench, machines(book, CATALOG), risks or {}, BASIS, gpu)


def caveats(answer) -> str:
    return " ".join(map(str, answer.evidence.caveats))


def reasons(answer):
    return {miss.gpu_name: str(miss.reason) for miss in answer.not_fitting}


def test_the_guides_keys_come_first_and_the_best_stands_at_the_top():
    answer = plain(asked([offer("RTX 4090"), offer("RTX 3090", 2)], risks={"RTX 4090": CALM}))
    assert list(answer)[:3] == ["model", "dataset_size_gb", "gpu_recommendations"]
    assert answer["model"] == "llama2-7b"
    assert answer["dataset_size_gb"] == 4.0
    best = answer["gpu_recommendations"][0]
    assert list(best)[:6] == GUIDE_KEYS
    assert all(answer[key] == best[key] for key in GUIDE_KEYS)
    assert all(isinstance(best[key], float) for key in GUIDE_KEYS[1:])


def test_without_interruptions_the_cost_is_hours_times_price():
    (row,) = asked([offer("RTX 4090")]).gpu_recommendations
    by_hand = 4 * 6_738_415_616 * 1e9 / (165.2e12 * 0.49) / 3600
    assert row.compute_hours == row.estimated_hours == row.billed_hours == pytest.approx(by_hand, abs=0.01)
    assert row.cost_dumont == pytest.approx(by_hand * 0.4, rel=0.001)
    assert row.checkpoints.every_minutes is None
    assert "how often RTX 4090 are interrupted is not known" in caveats(asked([offer("RTX 4090")]))


def test_interruptions_lengthen_the_run_and_waiting_is_not_billed():
    (row,) = asked([offer("RTX 4090")], risks={"RTX 4090": CALM}).gpu_recommendations
    assert row.compute_hours < row.billed_hours < row.estimated_hours
    assert row.cost_dumont == pytest.approx(row.billed_hours * 0.4, rel=0.001)
    assert row.checkpoints.every_minutes == pytest.approx(130.1, abs=0.1)
    assert row.checkpoints.mtbi_hours == 72
    often = asked([offer("RTX 4090")], risks={"RTX 4090": replace(CALM, mtbi_hours=4)}).gpu_recommendations[0]
    assert often.cost_dumont > row.cost_dumont


def test_a_gpu_that_never_lets_a_run_end_is_listed_with_the_reason():
    answer = asked([offer("RTX 4090")], job(save_minutes=60), {"RTX 4090": Risk(0.01, 0.005, 1)})
    assert reasons(answer) == {"RTX 4090": "interrupted every 0.01 h, such a run would practically never end"}


def test_all_rows_compare_with_the_aws_machine_that_does_it_for_the_least_money():
    """One whole g7e.2xlarge costs $197 for it, where the L4 nearest to a 4090 would cost more."""
    answer = asked([offer("RTX 4090", gpus=2), offer("H100 SXM", 2)], job("llama2-13b"))
    assert len({replace(row.aws, same_gpu=False) for row in answer.gpu_recommendations}) == 1
    for row in answer.gpu_recommendations:
        assert (row.aws.gpu_name, row.aws.gpus, row.aws.instance) == ("RTX PRO 6000 S", 1, "g7e.2xlarge")
        assert row.cost_aws == row.aws.cost == pytest.approx(row.aws.hours * 3.3631, rel=0.001)
        assert row.savings == pytest.approx(row.cost_aws - row.cost_dumont, abs=1e-3)
    assert answer.aws_machines[0].cost == min(run.cost for run in answer.aws_machines) == answer.cost_aws
    (row,) = asked([offer("RTX PRO 6000 S")]).gpu_recommendations
    assert row.aws.same_gpu


@pytest.mark.parametrize(("model", "mode"), [("llama2-7b", "lora"), ("llama2-70b", "lora"), ("deepseek-r1", "lora")])
def test_aws_machines_have_the_size_in_which_they_are_sold(model, mode):
    sold = {(row.gpu, row.machine, row.sold_together) for row in CATALOG.cloud_prices if row.cloud == "AWS"}
    runs = bench_for(job(model, mode), CATALOG, NOW).aws
    assert runs
    assert {(run.gpu_name, run.instance, run.gpus) for run in runs} <= sold
    assert runs[0].precision == "bf16"


def test_what_lacks_bf16_is_the_reference_only_where_nothing_else_is():
    runs = bench_for(job(), CATALOG, NOW).aws
    formats = [run.precision for run in runs]
    assert formats == sorted(formats)
    assert "fp16" in formats
    v100 = replace(CATALOG, cloud_prices=tuple(row for row in CATALOG.cloud_prices if "V100" in row.gpu))
    assert bench_for(job(), v100, NOW).aws[0].gpu_name.startswith("Tesla V100")


def test_a_time_limit_holds_for_aws_too():
    assert bench_for(job(tokens=12.5e9), CATALOG, NOW).aws[0].hours > 24
    (first, *_) = runs = bench_for(job(tokens=12.5e9, max_hours=24), CATALOG, NOW).aws
    assert max(run.hours for run in runs) <= 24
    assert first.gpus == 8
    answer = asked([offer("B300", gpus=16)], job(tokens=12.5e9, max_hours=9))
    assert answer.cost_aws is None
    assert "no AWS machine of our price list does this within 9 h on demand" in caveats(answer)


def test_the_askers_own_mfu_counts_at_aws_too():
    (row,) = asked([offer("L40S")], job(mfu=0.2)).gpu_recommendations
    assert row.aws.hours == row.compute_hours
    assert row.mfu["used"] == 0.2
    assert row.cost_low == row.cost_high == row.cost_dumont


def test_no_aws_machine_gives_null_and_a_caveat():
    unpriced = replace(CATALOG, cloud_prices=tuple(row for row in CATALOG.cloud_prices if row.cloud != "AWS"))
    bench = bench_for(job(), unpriced, NOW)
    answer = training_cost(bench, machines([offer("B300")], unpriced), {}, BASIS)
    (row,) = answer.gpu_recommendations
    assert (row.cost_aws, row.savings, row.savings_percent, row.aws) == (None, None, None, None)
    assert answer.cost_dumont == row.cost_dumont
    assert "no AWS machine of our price list holds this" in caveats(answer)


def test_neither_few_machines_nor_cards_without_bf16_lead():
    """A V100 at a tenth and a lone 4090 at a hundredth of the price come after three 3090."""
    plenty = [offer("RTX 3090", n) for n in range(3)]
    old = [offer("Tesla V100 32GB", 10 + n, bid=20_000) for n in range(3)]
    answer = asked([*plenty, *old, offer("RTX 4090", 20, bid=4_000)])
    rows = [(row.gpu_name, row.thin, row.precision) for row in answer.gpu_recommendations]
    assert rows == [
        ("RTX 3090", False, "bf16"),
        ("RTX 4090", True, "bf16"),
        ("Tesla V100 32GB", False, "fp16"),
    ]
    assert (answer.gpu_name, answer.cost_dumont) == ("RTX 3090", answer.gpu_recommendations[0].cost_dumont)
    lone = asked([*plenty, offer("RTX 3090", 30, 4, 4_000)]).gpu_recommendations
    assert [(row.gpus, row.thin) for row in lone] == [(1, False)]


def test_that_nothing_can_do_it_is_usual_for_the_lead_says_it():
    [told] = [note for note in asked([offer("RTX 3060")]).evidence.caveats if "no machine on offer" in str(note)]
    assert told.usual


def test_disk_is_billed_while_waiting_too():
    book = [offer("RTX 4090", storage_cost=200_000)]
    (row,) = asked(book, job(disk_gb=100), {"RTX 4090": CALM}).gpu_recommendations
    assert row.cost_disk == pytest.approx(0.2 / 720 * 100 * row.estimated_hours, rel=0.001)
    assert row.cost_dumont == pytest.approx(row.billed_hours * 0.4 + row.cost_disk, rel=0.001)
    assert "do not say what their disk costs" in caveats(asked([offer("RTX 4090")]))


def test_the_disk_holds_text_weights_and_two_checkpoints():
    full = job(mode="full", tokens=1e9)
    gb = 1e9 * BYTES_PER_TOKEN / 1e9 + (2 + 2 * 14) * 6.738
    assert full.disk_needed_gb == pytest.approx(gb, rel=0.001)
    assert job().upkeep.save_hours * 60 == SAVE_MINUTES
    assert job(save_minutes=0.5).upkeep.save_hours * 60 == 0.5


def test_a_large_checkpoint_takes_longer_to_save_than_the_least():
    minutes = job("llama2-70b", "full").upkeep.save_hours * 60
    assert minutes == pytest.approx(14 * 68.98e9 / 1e9 / 60, rel=0.001)
    assert minutes > SAVE_MINUTES


def test_of_each_model_the_cheapest_machine_is_taken():
    book = [offer("RTX 4090", 1, 1, 400_000), offer("RTX 4090", 2, 4, 300_000), offer("RTX 3090", 3, 1, 100_000)]
    answer = asked(book)
    assert [(row.gpu_name, row.gpus) for row in answer.gpu_recommendations] == [("RTX 3090", 1), ("RTX 4090", 4)]
    dear = asked([offer("RTX 4090", 1, 1, 300_000), offer("RTX 4090", 2, 4, 400_000)])
    assert [row.gpus for row in dear.gpu_recommendations] == [1]
    one = asked(book, job(gpus=1))
    assert {row.gpus for row in one.gpu_recommendations} == {1}
    none = asked(book, job(gpus=2))
    assert reasons(none)["RTX 4090"] == "no machine with 2 free GPUs on offer"


def test_wanted_models_are_answered_or_given_a_reason():
    answer = asked([offer("RTX 4090"), offer("RTX 3090", 2)], gpu=("RTX 3090", "A100 PCIE 80GB"))
    assert [row.gpu_name for row in answer.gpu_recommendations] == ["RTX 3090"]
    assert reasons(answer) == {"A100 PCIE 80GB": "none on offer"}


def test_when_nothing_can_do_it_the_top_level_is_null_with_the_reasons_beside():
    answer = asked([offer("RTX 3060"), offer("Tesla P40", 2), offer("Wunderkarte 7", 3)], job("llama2-7b"))
    assert [getattr(answer, key) for key in GUIDE_KEYS] == [None] * 6
    assert "no machine on offer can do this" in caveats(answer)
    said = reasons(answer)
    assert "GiB short" in said["RTX 3060"]
    assert said["Tesla P40"] == "it has no fast 16-bit arithmetic to train with"
    assert "not in the catalogue" in said["Wunderkarte 7"]


def test_a_time_limit_refuses_slow_machines_with_their_hours():
    book = [offer("RTX 4090"), offer("H100 SXM", 2, 8, 2_000_000)]
    answer = asked(book, job(max_hours=10))
    assert [row.gpu_name for row in answer.gpu_recommendations] == ["H100 SXM"]
    assert reasons(answer)["RTX 4090"] == "takes 92.5 h, limit 10"


def test_the_range_grows_with_every_doubt():
    same = [offer("RTX 4090", machine) for machine in range(5)]
    spread = [offer("RTX 4090", machine, bid=400_000 + 50_000 * (machine - 2)) for machine in range(5)]
    narrow = asked(same).gpu_recommendations[0]
    wide = asked(spread).gpu_recommendations[0]
    doubtful = asked(spread, risks={"RTX 4090": replace(CALM, mtbi_low=2)}).gpu_recommendations[0]
    assert narrow.cost_high / narrow.cost_dumont == pytest.approx(0.49 / 0.35, rel=0.001)
    assert narrow.cost_low / narrow.cost_dumont == pytest.approx(0.49 / 0.68, rel=0.001)
    assert wide.cost_low < narrow.cost_low < narrow.cost_high < wide.cost_high
    assert doubtful.cost_high / doubtful.cost_dumont > wide.cost_high / wide.cost_dumont


def test_a_pretraining_reaches_less_than_a_fine_tuning_and_its_wide_range_is_told():
    """20 tokens for each parameter are a pretraining, whose published H100 runs lie between 14 and 35 percent."""
    told = "so the range of cost is wide: H100 SXM"
    short = asked([offer("H100 SXM", gpus=8)], job("llama3-8b", "full", 1e9))
    long = asked([offer("H100 SXM", gpus=8)], job("llama3-8b", "full", 15e12))
    assert (short.gpu_recommendations[0].mfu["class"], long.gpu_recommendations[0].mfu["class"]) == (
        "H100 class",
        "H100 class, pretraining",
    )
    assert told not in caveats(short)
    assert told in caveats(long)
    hours = long.gpu_recommendations[0].compute_hours * 8
    low, high = (
        hours * getattr(long.gpu_recommendations[0], key) / long.cost_dumont for key in ("cost_low", "cost_high")
    )
    assert low < 1_300_000 < high


def test_old_prices_are_flagged():
    assert "AWS prices are from 2026-01-22" in caveats(asked([offer("H200")]))


books = st.lists(
    st.builds(
        offer,
        model=st.sampled_from([gpu.name for gpu in CATALOG.gpus]),
        machine=st.integers(1, 20),
        gpus=st.sampled_from((1, 2, 4, 8)),
        bid=st.integers(1_000, 5_000_000),
        storage_cost=st.one_of(st.none(), st.integers(0, 1_000_000)),
    ),
    max_size=20,
)
risks = st.builds(Risk, mtbi_hours=st.floats(1, 1000), mtbi_low=st.floats(0.5, 1), down_hours=st.floats(0, 24))


@given(books, st.sampled_from(("lora", "qlora", "full")), st.floats(1e3, 1e12), st.one_of(st.none(), risks))
def test_on_any_market_the_identities_hold(book, mode, tokens, risk):
    models = {one.model for one in book}
    answer = asked(book, job("llama2-7b", mode, tokens), dict.fromkeys(models, risk) if risk else {})
    order = [(row.precision == "fp16", row.thin, row.cost_dumont) for row in answer.gpu_recommendations]
    assert order == sorted(order)
    assert {row.cost_aws for row in answer.gpu_recommendations} <= {answer.cost_aws}
    assert {row.gpu_name for row in answer.gpu_recommendations} | set(reasons(answer)) == models
    for row in answer.gpu_recommendations:
        assert row.cost_low <= row.cost_dumont <= row.cost_high
        assert row.compute_hours <= row.billed_hours <= row.estimated_hours
        if row.cost_aws:
            assert row.savings == pytest.approx(row.cost_aws - row.cost_dumont, abs=2e-4)
            assert row.savings_percent == pytest.approx(100 * row.savings / row.cost_aws, abs=0.06)
            assert row.savings_percent <= 100


def test_where_spot_saves_nothing_or_few_stand_behind_it_it_says_so():
    dear = asked([offer("RTX 4090", n, bid=9_000_000) for n in (1, 2)])
    assert dear.savings < 0
    assert "dearer here than the same work on AWS on demand: RTX 4090" in caveats(dear)
    assert "hardly medians: 1× RTX 4090 (2)" in caveats(dear)
    assert [row.machines for row in dear.gpu_recommendations] == [2]
    fair = caveats(asked([offer("RTX 4090", n) for n in (1, 2, 3)]))
    assert "dearer" not in fair
    assert "hardly medians" not in fair


def test_a_cloud_that_sells_eight_gpus_together_is_paid_for_eight():
    """Nobody rents an eighth of a p4de; the work is the same, so eight finish in an eighth of the hours and links."""
    runs = {run.instance: run for run in bench_for(job(), CATALOG, NOW).aws}
    run = runs["p4de.24xlarge"]
    assert run.gpus == 8
    assert run.cost == pytest.approx(8 * run.hours * run.usd_per_gpu_hour, rel=0.001)
    assert (runs["p5.4xlarge"].gpus, runs["p5.48xlarge"].gpus) == (1, 8)
