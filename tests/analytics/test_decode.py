"""Generating text, held against what others measured (benchmarks/published/decode_speed.csv)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.catalog import load_catalog
from analytics.hardware.decode import Step, decode_rate, decode_step, touched_share
from analytics.hardware.memory import Work
from benchmarks.published_values import QUANTITIES, Compared, compared

CATALOG = load_catalog()
LLMS = {llm.name: llm for llm in CATALOG.llms}
TOLERANCE = 0.40

PUBLISHED = list(compared(next(one for one in QUANTITIES if one.file == "decode_speed.csv")))


def gpu(name):
    found = CATALOG.gpu(name)
    assert found, name
    return found


def rate(card: str, gpus: int, work: Work, placement="copies", mfu: float = 0.42) -> float:
    return decode_rate(gpu(card), gpus, work, placement, mfu).tokens_per_s


@pytest.mark.parametrize("one", PUBLISHED, ids=[one.what for one in PUBLISHED])
def test_every_published_speed_is_met_within_forty_percent(one: Compared):
    assert one.ours == pytest.approx(one.published, rel=TOLERANCE)
    assert one.row["source"]


def test_most_published_speeds_were_kept_out_of_the_fit():
    held_out = [one for one in PUBLISHED if one.row["fitted"] == "no"]
    assert len(held_out) > len(PUBLISHED) / 2
    assert sum(abs(one.error) for one in held_out) / len(held_out) < 0.20


@pytest.mark.parametrize("precision", ["fp8", "int8"])
def test_one_stream_of_deepseek_r1_on_eight_h200_is_bounded_by_latency(precision):
    """Bytes alone would give several hundred tokens a second; people get 30 to 110."""
    step = decode_step(gpu("H200"), 8, Work(LLMS["deepseek-r1"], precision=precision), 0.41)
    assert 30 <= 1 / step.seconds <= 110
    assert step.launch_s + step.exchange_s > step.work_s


def test_experts_are_touched_as_often_as_tokens_pick_them():
    """8 of 256 experts at work: 1 - (31/32)^8 of them for eight tokens; attention and shared layers always."""
    llm = LLMS["deepseek-r1"]
    always = (llm.params - llm.expert_params) / llm.params
    assert touched_share(llm, 1) == pytest.approx(llm.active_params / llm.params)
    assert touched_share(llm, 8) == pytest.approx(always + (1 - always) * (1 - (31 / 32) ** 8), rel=0.03)
    assert touched_share(llm, 4096) == pytest.approx(1)
    assert touched_share(LLMS["llama3-8b"], 1) == 1


def test_splitting_over_pcie_costs_more_than_over_nvlink():
    work = Work(LLMS["llama3-8b"], batch=16)
    pcie, nvlink = (decode_step(gpu(name), 4, work, 0.5) for name in ("A100 PCIE 80GB", "A100 SXM4 80GB"))
    assert pcie.exchange_s > nvlink.exchange_s > 0
    assert decode_step(gpu("A100 PCIE 80GB"), 1, work, 0.5).exchange_s == 0


def test_a_large_batch_is_limited_by_arithmetic():
    llm = LLMS["llama3-8b"]
    endless = rate("RTX 4090", 1, Work(llm, context=1, batch=100_000))
    assert endless == pytest.approx(165.2e12 * 0.42 / (2 * llm.active_params), rel=0.01)


def test_copies_work_side_by_side():
    work = Work(LLMS["llama3-8b"])
    assert rate("RTX 4090", 4, work) == pytest.approx(4 * rate("RTX 4090", 1, work))


def test_a_gpu_without_fast_16_bit_arithmetic_has_no_rate():
    assert decode_rate(gpu("Tesla P40"), 1, Work(LLMS["llama2-7b"]), "copies", 0.35) is None


@given(st.sampled_from(tuple(LLMS.values())), st.integers(1, 63), st.sampled_from((1, 2, 4, 8)), st.integers(1, 32_768))
def test_more_sequences_are_more_in_all_and_fewer_for_each(llm, batch, split, context):
    card = gpu("H100 SXM")
    fewer, more = (decode_step(card, split, Work(llm, context=context, batch=n), 0.41) for n in (batch, batch + 1))
    assert more.seconds >= fewer.seconds
    assert (batch + 1) / more.seconds > batch / fewer.seconds
    assert isinstance(fewer, Step)
