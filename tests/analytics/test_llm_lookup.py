import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.catalog import load_catalog
from analytics.errors import AskError, NotFound
from analytics.hardware.llm_lookup import LARGEST, SMALLEST, find_llm

CATALOG = load_catalog()


@pytest.mark.parametrize("llm", CATALOG.llms, ids=lambda llm: llm.name)
def test_every_listed_model_is_found_by_its_name(llm):
    assert find_llm(llm.name, CATALOG).llm is llm


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Llama-2-7b-hf", "llama2-7b"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama3-8b"),
        ("meta-llama/Llama-3.1-70B", "llama3.1-70b"),
        ("llama 3 8b", "llama3-8b"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"),
        ("mistral", "mistral-7b"),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b"),
        ("gemma-2-9b-it", "gemma2-9b"),
        ("Phi-3-mini-4k-instruct", "phi-3-mini"),
        ("DeepSeek-V3", "deepseek-v3"),
        ("8x7B", "mixtral-8x7b"),
        ("8x22b", "mixtral-8x22b"),
    ],
)
def test_a_name_as_people_type_it(typed, name):
    found = find_llm(typed, CATALOG)
    assert (found.llm.name, found.asked, found.assumption) == (name, typed, None)


@pytest.mark.parametrize(
    ("typed", "params", "name", "pattern"),
    [
        ("7B", 7e9, "7B", "llama2-7b"),
        ("13b", 13e9, "13B", "llama2-13b"),
        ("30B", 30e9, "30B", "llama-30b"),
        ("70", 70e9, "70B", "llama2-70b"),
        ("180B", 180e9, "180B", "falcon-180b"),
        ("0.5B", 5e8, "0.5B", "qwen2.5-0.5b"),
        ("350M", 3.5e8, "350M", "qwen2.5-0.5b"),
        ("1T", 1e12, "1T", "llama3.1-405b"),
    ],
)
def test_a_size_is_shaped_like_a_typical_model_and_says_so(typed, params, name, pattern):
    found = find_llm(typed, CATALOG)
    assert (found.llm.params, found.llm.name) == (params, name)
    assert found.assumption.values == {"size": name, "name": pattern}


def test_experts_share_their_attention():
    found = find_llm("4x7B", CATALOG)
    assert found.llm.name == "4x7B"
    assert found.llm.params == pytest.approx(4 / 8 * 46.7e9, rel=0.001)
    assert found.llm.active_params < found.llm.params


def test_a_scaled_model_keeps_parameters_and_shape_together():
    llm = find_llm("9B", CATALOG).llm
    pattern = next(m for m in CATALOG.llms if m.name == "llama3-8b")
    grown = (llm.layers * llm.hidden**2) / (pattern.layers * pattern.hidden**2)
    assert grown == pytest.approx(llm.params / pattern.params, rel=0.03)


def test_a_family_asks_back():
    with pytest.raises(AskError) as refusal:
        find_llm("llama2", CATALOG)
    assert refusal.value.suggestions == ("llama2-7b", "llama2-13b", "llama2-70b")


def test_a_typing_error_gets_did_you_mean():
    with pytest.raises(NotFound) as refusal:
        find_llm("lama2-7b", CATALOG)
    assert refusal.value.suggestions[0] == "llama2-7b"


@pytest.mark.parametrize("typed", ["0B", "1k", "99999T", "x" * 10_000, "", "\x00\x1b", "🎉" * 99])
def test_what_is_no_model_is_refused_shortly(typed):
    with pytest.raises(AskError) as refusal:
        find_llm(typed, CATALOG)
    assert len(str(refusal.value.note)) < 120


@given(st.one_of(st.text(max_size=100), st.from_regex(r"\A([1-9]x)?[0-9]{1,4}(\.[0-9])?[kmbtKMBT]?\Z")))
def test_any_text_is_a_model_of_sensible_size_or_refused(text):
    with contextlib.suppress(AskError):
        llm = find_llm(text, CATALOG).llm
        assert SMALLEST * 0.5 <= llm.params <= LARGEST
        assert min(llm.layers, llm.hidden, llm.ffn, llm.kv_width, llm.active_params) >= 1
