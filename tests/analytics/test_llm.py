import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.answers.llm import Wish, llm_gpus
from analytics.answers.llm_fits import NEARLY_EQUAL
from analytics.catalog import load_catalog
from analytics.evidence import Basis, plain
from analytics.hardware.llm_lookup import find_llm
from analytics.hardware.machines import machines, rated
from analytics.hardware.memory import GIB, MODES, USABLE_SHARE, Work, need
from analytics.market import Offer

CATALOG = load_catalog()
BASIS = Basis(now=1000, as_of=1000, interval=300, first_at=0, offers=5)


def offer(model: str, machine: int = 1, gpus: int = 1, bid: int | None = 400_000, **more: object) -> Offer:
    return Offer(model, machine, gpus, 600_000, bid, **more)


def asked(book, size="7B", mode="lora", wish=None, **work):
    found = find_llm(size, CATALOG)
    wish = wish or Wish(batch=work.get("batch"))
    return llm_gpus(found, Work(found.llm, mode, **work), machines(book, CATALOG), wish, BASIS)


def several(model: str, gpus: int = 1, bid: int = 400_000, first: int = 1, count: int = 3) -> list[Offer]:
    return [offer(model, first + n, gpus, bid) for n in range(count)]


def shown(answer):
    return [(row.gpus, row.gpu_name) for row in answer.recommendations]


def reasons(answer):
    return {miss.gpu_name: str(miss.reason) for miss in answer.not_fitting}


def test_the_guides_keys_come_first_with_its_types():
    answer = plain(asked([offer("RTX 4090")], wish=Wish(tokens=1e6)))
    assert list(answer)[:2] == ["model_size", "recommendations"]
    assert answer["model_size"] == "7B"
    row = answer["recommendations"][0]
    keys = ["gpu_name", "vram_gb", "price_per_hour", "fit_score", "reasoning", "estimated_training_time_hours"]
    assert list(row)[:6] == keys
    assert (row["gpu_name"], row["vram_gb"], row["price_per_hour"]) == ("RTX 4090", 24, 0.4)
    assert isinstance(row["reasoning"], str)
    assert isinstance(row["estimated_training_time_hours"], float)


def test_the_faster_card_for_the_same_money_wins_and_the_score_says_by_how_much():
    answer = asked([offer("RTX 4090", 1), offer("RTX 3090", 2)])
    assert shown(answer) == [(1, "RTX 4090"), (1, "RTX 3090")]
    first, second = answer.recommendations
    assert first.fit_score == pytest.approx(1, abs=0.001)
    assert second.fit_score == pytest.approx(71 / 165.2, abs=0.002)
    assert "43% of the best tokens per dollar" in str(second.reasoning)


def test_a_tight_fit_scores_less_than_a_roomy_one_at_the_same_value():
    """Both compute alike; 24 GB leaves the formula's error little room."""
    answer = asked([offer("RTX 4090", 1), offer("RTX 4090 48GB", 2)], "llama2-7b", context=10_400)
    roomy, tight = answer.recommendations
    assert (roomy.gpu_name, tight.gpu_name) == ("RTX 4090 48GB", "RTX 4090")
    assert 0.85 < tight.fit_score < roomy.fit_score == 1


def test_what_does_not_fit_says_by_how_much():
    answer = asked([offer("RTX 4090"), offer("RTX 3060", 2)], "llama2-7b", "full")
    assert shown(answer) == []
    assert reasons(answer)["RTX 3060"] == "needs 103.2 GiB on each GPU, 11 usable: 92.1 GiB short"


def test_several_small_gpus_hold_what_one_does_not():
    book = [offer("RTX 4090", 1, 1), offer("RTX 4090", 2, 4), offer("RTX 4090", 3, 8)]
    answer = asked(book, "70B", "qlora")
    assert shown(answer) == [(4, "RTX 4090")]
    assert answer.recommendations[0].sharded
    assert answer.recommendations[0].price_per_hour == 1.6


def test_of_one_model_the_smallest_machine_near_the_best_value_is_shown():
    near = [offer("RTX 4090", 1, 1, 400_000), offer("RTX 4090", 2, 2, 380_000)]
    assert shown(asked(near)) == [(1, "RTX 4090")]
    far = [offer("RTX 4090", 1, 1, 400_000), offer("RTX 4090", 2, 2, int(400_000 * NEARLY_EQUAL) - 10_000)]
    assert shown(asked(far)) == [(2, "RTX 4090")]


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (Wish(min_vram=48), "24 GB a GPU, 48 GB asked"),
        (Wish(max_price=0.3), "costs $0.400 an hour, limit $0.300"),
        (Wish(max_gpus=1), ""),
    ],
)
def test_wishes_are_limits_with_reasons(wish, reason):
    answer = asked([offer("RTX 4090")], wish=wish)
    assert reasons(answer).get("RTX 4090", "") == reason
    assert bool(answer.recommendations) == (reason == "")


def test_only_larger_machines_than_wished():
    answer = asked([offer("RTX 4090", 1, 8)], wish=Wish(max_gpus=4))
    assert reasons(answer) == {"RTX 4090": "only machines with more than 4 GPUs would do"}


def test_only_rentable_verified_priced_offers_count_and_a_machine_once():
    book = [
        offer("RTX 4090", 1, bid=300_000),
        offer("RTX 4090", 1, bid=200_000),
        offer("RTX 4090", 2, bid=400_000),
        offer("RTX 4090", 3, bid=10_000, rentable=False),
        offer("RTX 4090", 4, bid=10_000, verified=False),
        offer("RTX 4090", 5, bid=None),
    ]
    (row,) = asked(book).recommendations
    assert row.machines == 2
    assert row.price_per_hour == 0.3


def test_memory_is_what_the_driver_reports():
    (machine,) = machines([offer("L40S", gpu_ram_mb=46_068)], CATALOG)
    assert machine.vram_gib == pytest.approx(44.99, abs=0.01)
    (machine,) = machines([offer("L40S")], CATALOG)
    assert machine.vram_gib == 48


def test_an_unlisted_gpu_fits_by_its_memory_but_has_no_score():
    answer = asked([offer("Wunderkarte 7", gpu_ram_mb=24_576), offer("RTX 3090", 2)])
    unlisted = answer.recommendations[-1]
    assert (unlisted.gpu_name, unlisted.fit_score, unlisted.tokens_per_second) == ("Wunderkarte 7", None, None)
    assert "not in the catalogue" in str(unlisted.reasoning)
    assert reasons(asked([offer("Wunderkarte 7")])) == {"Wunderkarte 7": "its memory is not known"}


def test_a_rebuilt_card_has_the_rate_of_the_one_as_sold():
    assert rated("RTX 4090 48GB", CATALOG).tflops == 165.2
    assert rated("RTX 4090 48GB", CATALOG).vram_gb == 48
    assert rated("Wunderkarte 48GB", CATALOG) is None


def test_a_rebuilt_card_that_was_sold_in_several_sizes_counts_as_the_slowest_of_them():
    rebuilt, slow, fast = (rated(f"RTX 3080 {size}GB", CATALOG) for size in (20, 10, 12))
    assert (rebuilt.name, rebuilt.vram_gb) == ("RTX 3080 20GB", 20)
    assert (rebuilt.tflops, rebuilt.mem_bw_gbs) == (slow.tflops, slow.mem_bw_gbs)
    assert slow.tflops < fast.tflops


def test_hours_are_for_the_wished_tokens_and_never_for_running_a_model():
    hours = asked([offer("RTX 4090")], "llama2-7b", wish=Wish(tokens=1e9)).recommendations[0]
    by_hand = 4 * 6_738_415_616 * 1e9 / (165.2e12 * 0.42) / 3600
    assert hours.estimated_training_time_hours == pytest.approx(by_hand, rel=0.001)
    assert asked([offer("RTX 4090")]).recommendations[0].estimated_training_time_hours is None
    running = asked([offer("RTX 4090")], mode="inference", wish=Wish(tokens=1e9))
    assert running.training_tokens is None
    assert running.recommendations[0].estimated_training_time_hours is None


def test_assumptions_and_limits_are_said():
    answer = asked([offer("H200")], "7B", "inference", context=100_000)
    said = [str(caveat) for caveat in answer.evidence.caveats]
    assert "a model of 7B is taken to be shaped like llama2-7b" in said
    assert "7B was made for at most 4,096 tokens of context" in said


books = st.lists(
    st.builds(
        offer,
        model=st.sampled_from([gpu.name for gpu in CATALOG.gpus] + ["Wunderkarte 7"]),
        machine=st.integers(1, 20),
        gpus=st.sampled_from((1, 2, 4, 8)),
        bid=st.integers(1_000, 5_000_000),
    ),
    max_size=30,
)


@given(books, st.sampled_from(("1B", "7B", "70B", "mixtral-8x7b", "deepseek-v3")), st.sampled_from(MODES))
def test_on_any_market_scores_are_ordered_and_nothing_is_lost(book, size, mode):
    answer = asked(book, size, mode, Wish(tokens=1e6))
    rows = answer.recommendations
    scores = [row.fit_score for row in rows if row.fit_score is not None]
    standing = [(row.precision == "fp16", row.fit_score is None, row.thin) for row in rows]
    assert standing == sorted(standing)
    for n, row in enumerate(rows):
        equals = [
            other.fit_score or 0
            for other, other_standing in zip(rows[n:], standing[n:], strict=True)
            if other_standing == standing[n]
        ]
        assert (row.fit_score or 0) >= NEARLY_EQUAL * max(equals) - 0.002
    assert all(0 <= score <= 1 for score in scores)
    fits, misses = {row.gpu_name for row in answer.recommendations}, {miss.gpu_name for miss in answer.not_fitting}
    assert fits | misses == {one.model for one in book}
    assert not fits & misses
    for row in answer.recommendations:
        assert row.memory_need_gib <= USABLE_SHARE * row.memory_gib + 0.1


def test_a_price_of_few_machines_is_told():
    book = [*(offer("RTX 4090", n) for n in (1, 2)), *(offer("RTX 3090", n, bid=100_000) for n in (3, 4, 5))]
    answer = asked(book)
    assert {row.gpu_name: row.machines for row in answer.recommendations} == {"RTX 4090": 2, "RTX 3090": 3}
    told = "prices that rest on fewer than 3 machines are hardly medians: 1× RTX 4090 (2)"
    assert told in map(str, answer.evidence.caveats)
    assert "hardly medians" not in " ".join(map(str, asked(book[2:]).evidence.caveats))


def test_running_a_model_tells_what_one_reader_gets_and_all_together_at_a_stated_batch():
    (row,) = asked(several("A100 SXM4 80GB", 2, 600_000), "llama3-70b", "inference").recommendations
    assert (row.sharded, row.copies) == (True, 1)
    assert row.batch in (1, 2, 4, 8, 16, 32, 64)
    assert row.tokens_per_second < row.tokens_per_second_total < row.batch * row.tokens_per_second
    price = row.price_per_hour / (row.tokens_per_second_total * 3600) * 1e6
    assert row.usd_per_million_tokens == pytest.approx(price, rel=0.001)
    (alone,) = asked(several("A100 SXM4 80GB", 2, 600_000), "llama3-70b", "inference", batch=1).recommendations
    assert alone.tokens_per_second_total == alone.tokens_per_second == row.tokens_per_second
    assert alone.usd_per_million_tokens > 5 * row.usd_per_million_tokens


def test_the_batch_is_the_largest_power_of_two_whose_cache_fits():
    (row,) = asked(several("RTX 4090"), "llama3-8b", "inference", context=8192).recommendations
    llm = find_llm("llama3-8b", CATALOG).llm
    usable = USABLE_SHARE * 24 * GIB

    def size(batch: int) -> float:
        return need(Work(llm, "inference", context=8192, batch=batch)).on_each(1, "copies")

    assert size(row.batch) <= usable < size(2 * row.batch)
    assert row.memory_need_gib == pytest.approx(size(row.batch) / GIB, abs=0.05)
    (small,) = asked(several("H100 SXM"), "llama3-8b", "inference", context=64).recommendations
    assert small.batch == 64


def test_eight_small_copies_count_all_their_readers():
    (row,) = asked(several("RTX 4090", 8), "llama3-8b", "inference", batch=4).recommendations
    assert (row.copies, row.batch) == (8, 4)
    assert row.tokens_per_second_total > 8 * row.tokens_per_second


@pytest.mark.parametrize("old", ["Tesla V100 32GB", "Q RTX 8000", "Titan RTX", "Tesla P40"])
def test_a_card_without_bf16_runs_fp16_and_never_leads_for_bf16(old):
    book = [*several(old, bid=10_000), *several("RTX 3090", bid=900_000, first=10)]
    first, second = asked(book, "7B", "inference", context=512).recommendations
    assert (first.gpu_name, first.precision) == ("RTX 3090", "bf16")
    assert (second.gpu_name, second.precision) == (old, "fp16")
    assert "runs fp16" in str(second.reasoning)
    if old != "Tesla P40":
        in_fp16 = asked(book, "7B", "inference", precision="fp16", context=512).recommendations[0]
        assert in_fp16.gpu_name == old
        assert "runs fp16" not in str(in_fp16.reasoning)


def test_an_offer_of_few_machines_is_marked_and_leads_only_among_its_kind():
    book = [*several("RTX 4090", bid=100_000, count=2), *several("RTX 3090", bid=400_000, first=10)]
    first, second = asked(book).recommendations
    assert [(first.gpu_name, first.thin), (second.gpu_name, second.thin)] == [("RTX 3090", False), ("RTX 4090", True)]
    assert str(second.reasoning).endswith("only 2 machines on offer")
    assert str(first.reasoning).endswith("the most tokens per dollar of these")
    assert (first.fit_score, second.fit_score) == (pytest.approx(1, abs=0.001), pytest.approx(1, abs=0.001))
    assert asked(book[:2]).recommendations[0].gpu_name == "RTX 4090"


def test_of_machines_of_equal_value_the_one_with_fewest_gpus_comes_first():
    llama = "llama3-8b"
    book = [*several("RTX 4090", 8, 390_000), *several("RTX 5090", 1, 400_000 * 2095 // 1652, first=10)]
    few, many = asked(book, llama).recommendations
    assert (few.gpus, many.gpus) == (1, 8)
    assert few.fit_score < many.fit_score
    cheaper = [*several("RTX 4090", 8, 300_000), *book[3:]]
    assert asked(cheaper, llama).recommendations[0].gpus == 8


@pytest.mark.parametrize("precision", ["awq", "gptq", "fp8", "int8", "mxfp4", "bnb-4bit"])
def test_a_card_without_bf16_leads_for_no_format_that_is_run_in_it(precision):
    cheap = [offer("Tesla V100 32GB", n, bid=100_000) for n in range(1, 6)]
    others = [offer("RTX 4090", n) for n in range(11, 16)]
    work = Work(next(llm for llm in CATALOG.llms if llm.name == "llama3-8b"), "inference", precision)
    answer = llm_gpus(find_llm("llama3-8b", CATALOG), work, machines([*cheap, *others], CATALOG), Wish(), BASIS)
    assert [row.gpu_name for row in answer.recommendations] == ["RTX 4090", "Tesla V100 32GB"]
    assert "runs fp16" in str(answer.recommendations[1].reasoning)
