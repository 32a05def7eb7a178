import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.catalog import load_catalog, model_name, models_of, resolve, rows
from analytics.errors import NotFound
from analytics.names import SHOWN, shown

CATALOG = load_catalog()
KNOWN = ("RTX 4090", "RTX 3090", "A100 PCIE 80GB", "H100 SXM", "RTX 4090 48GB")
DATED = re.compile(r"\d{4}(-\d{2}){0,2}")


def meant(text: str, known: tuple[str, ...] = KNOWN) -> tuple[str, ...]:
    return resolve(text, CATALOG, known)


def test_it_is_as_large_as_promised():
    assert len(CATALOG.gpus) >= 60
    assert len(CATALOG.llms) >= 20
    assert {price.cloud for price in CATALOG.cloud_prices} == {"AWS", "GCP", "Azure"}


@pytest.mark.parametrize("file", ["gpus.csv", "llms.csv", "cloud_prices.csv", "mfu.csv", "places.csv"])
def test_every_row_says_where_it_is_from_and_of_when(file):
    for row in rows(file):
        assert row["source"], row
        assert DATED.fullmatch(row["date"]), row
        assert None not in row, row


def test_names_are_unique_and_carry_the_memory_only_where_it_tells_models_apart():
    names = [gpu.name for gpu in CATALOG.gpus]
    assert len(names) == len(set(names))
    assert {"A100 SXM4 80GB", "A100 SXM4 40GB", "RTX 4090", "H100 SXM"} <= set(names)
    assert models_of("A100 SXM4") == ("A100 SXM4 80GB", "A100 SXM4 40GB")
    assert models_of("RTX 9999") == ("RTX 9999",)


def test_every_cloud_price_is_of_a_listed_gpu():
    assert [price.gpu for price in CATALOG.cloud_prices if CATALOG.gpu(price.gpu) is None] == []


def test_every_cloud_price_is_of_a_whole_machine_and_each_size_of_it_has_one():
    asked = [p for p in CATALOG.cloud_prices if p.kind == "on_demand"]
    assert not [p.instance for p in asked if "GPU SKU" in p.instance or "GPU part only" in p.note]
    assert len({(p.cloud, p.gpu, p.sold_together) for p in asked}) == len(asked)


@pytest.mark.parametrize(
    ("cloud", "gpu", "usd"),
    [("AWS", "RTX PRO 6000 S", 3.3631), ("AWS", "B300", 17.802), ("GCP", "RTX PRO 6000 S", 4.4999),
     ("GCP", "Tesla T4", 0.35 + 0.4732), ("GCP", "Tesla V100 16GB", 2.48 + 0.4732), ("GCP", "B200", 16.11)],
)  # fmt: skip
def test_machines_of_2026_are_listed_with_their_hosts(cloud, gpu, usd):
    found = [p for p in CATALOG.cloud_prices if (p.cloud, p.gpu, p.kind) == (cloud, gpu, "on_demand")]
    assert min(price.usd_per_gpu_hour for price in found) == pytest.approx(usd)
    assert all(price.source and price.date for price in found)


VISION = 417e6
"""Parameters of Gemma 3's vision tower (source: _VISION_CONFIG of transformers' convert_gemma3_weights.py)."""


@pytest.mark.parametrize("llm", [llm for llm in CATALOG.llms if not llm.moe], ids=lambda llm: llm.name)
def test_a_models_parameters_follow_from_its_own_shape(llm):
    """A typing error in any column shows: embedding + layers x (attention + two or three MLP matrices) is the size."""
    attention = 2 * llm.hidden * llm.head_dim * (llm.heads + llm.kv_heads)
    sizes = [llm.embedding_params + llm.layers * (attention + n * llm.hidden * llm.ffn) for n in (2, 3)]
    text = llm.params - (VISION if "vision tower" in llm.source else 0)
    assert min(abs(size / text - 1) for size in sizes) < 0.01
    assert llm.kv_width == 2 * llm.kv_heads * llm.head_dim


@pytest.mark.parametrize("name", ["mixtral-8x7b", "mixtral-8x22b"])
def test_a_mixture_works_with_two_of_its_eight_experts(name):
    llm = next(llm for llm in CATALOG.llms if llm.name == name)
    expert = 3 * llm.hidden * llm.ffn * llm.layers
    assert llm.params - llm.active_params == pytest.approx(6 * expert, rel=0.001)


@pytest.mark.parametrize(
    ("vast_name", "mib", "model"),
    [
        ("RTX 4090", 24564, "RTX 4090"),
        ("RTX 4090", 23028, "RTX 4090"),
        ("RTX 4090", 49140, "RTX 4090 48GB"),
        ("RTX 4090", None, "RTX 4090"),
        ("A100 PCIE", 40960, "A100 PCIE 40GB"),
        ("A100 PCIE", 81920, "A100 PCIE 80GB"),
        ("A100 PCIE", None, "A100 PCIE"),
        ("Tesla V100", 32768, "Tesla V100 32GB"),
        ("L40S", 46068, "L40S"),
        ("H200", 143771, "H200"),
        ("Tesla T4", 15360, "Tesla T4"),
        ("RTX 3080", 12288, "RTX 3080 12GB"),
        ("Quantum 9", 12288, "Quantum 9"),
        ("A100 PCIE", 0, "A100 PCIE"),
    ],
)
def test_an_offers_model_is_found_by_name_and_memory(vast_name, mib, model):
    assert model_name(vast_name, mib) == model


@pytest.mark.parametrize(
    ("typed", "models"),
    [
        ("4090", ("RTX 4090",)),
        ("rtx4090", ("RTX 4090",)),
        ("RTX 4090", ("RTX 4090",)),
        ("  rtx_4090 ", ("RTX 4090",)),
        ("GeForce RTX 4090", ("RTX 4090",)),
        ("4090 48gb", ("RTX 4090 48GB",)),
        ("4090 24gb", ("RTX 4090",)),
        ("3090ti", ("RTX 3090 Ti",)),
        ("4080 super", ("RTX 4080S",)),
        ("4070 ti super", ("RTX 4070S Ti",)),
        ("l40s", ("L40S",)),
        ("l40", ("L40",)),
        ("a10", ("A10",)),
        ("a6000", ("RTX A6000",)),
        ("6000 ada", ("RTX 6000Ada",)),
        ("v100 32", ("Tesla V100 32GB",)),
        ("v10032gb", ("Tesla V100 32GB",)),
        ("a100-sxm4-80gb", ("A100 SXM4 80GB",)),
        ("H100 SXM5", ("H100 SXM",)),
        ("mi250x", ("InstinctMI250X",)),
        ("gh200", ("GH200 SXM",)),
        ("h200", ("H200",)),
    ],
)
def test_a_name_that_means_one_model(typed, models):
    assert meant(typed) == models


@pytest.mark.parametrize(
    ("typed", "models"),
    [
        ("a100 80gb", {"A100 PCIE 80GB", "A100 SXM4 80GB"}),
        ("a10040gb", {"A100 PCIE 40GB", "A100 SXM4 40GB"}),
        ("a100", {"A100 PCIE 80GB", "A100 SXM4 80GB", "A100 SXM4 40GB", "A100 PCIE 40GB"}),
        ("h100", {"H100 SXM", "H100 NVL", "H100 PCIE"}),
        ("h100 80gb", {"H100 SXM", "H100 PCIE"}),
        ("v100", {"Tesla V100 32GB", "Tesla V100 16GB"}),
        ("pro 6000", {"RTX PRO 6000 WS", "RTX PRO 6000 S"}),
        ("rtx 6000", {"Q RTX 6000", "RTX 6000Ada"}),
        ("4060ti", {"RTX 4060 Ti 16GB", "RTX 4060 Ti 8GB"}),
        ("titan", {"Titan RTX", "Titan V", "Titan Xp"}),
    ],
)
def test_a_family_gives_all_its_models(typed, models):
    assert set(meant(typed)) == models


def test_models_of_the_store_come_first_in_their_order():
    assert meant("a100", ("A100 SXM4 40GB", "RTX 4090", "A100 PCIE 80GB"))[:2] == ("A100 SXM4 40GB", "A100 PCIE 80GB")


def test_a_model_that_only_the_store_knows_is_found():
    assert meant("wunderkarte", ("Wunderkarte 7",)) == ("Wunderkarte 7",)


@pytest.mark.parametrize("name", [gpu.name for gpu in CATALOG.gpus])
def test_every_canonical_name_means_exactly_itself(name):
    assert meant(name) == (name,)
    assert meant(name.lower(), ()) == (name,)


@pytest.mark.parametrize(
    ("typed", "model"),
    [("H100_80GB_SXM5", "H100 SXM"), ("1x L40S 48GB PCIe", "L40S"), ("Tesla-V100-SXM2-16GB", "Tesla V100 16GB")],
)
def test_a_model_is_found_as_other_clouds_spell_it(typed, model):
    assert meant(typed) == (model,)


@pytest.mark.parametrize(
    ("typed", "near"), [("4900", "RTX 4090"), ("rtx 5O90", "RTX 5090"), ("a10O sxm", "A100 SXM4 80GB")]
)
def test_a_typing_error_gets_did_you_mean(typed, near):
    with pytest.raises(NotFound) as refusal:
        meant(typed)
    assert near in refusal.value.suggestions


@pytest.mark.parametrize(
    "typed", ["x" * 10_000, "\x00" * 10_000, "4090" + " " * 10_000, "4090" * 3000, "", "   ", "🎉", "\x1b[2J"]
)
def test_nonsense_is_refused_with_a_short_printable_text(typed):
    with pytest.raises(NotFound) as refusal:
        meant(typed)
    note = refusal.value.note
    assert len(note.values["text"]) <= SHOWN
    assert str(note).isprintable()


@given(st.text(max_size=200))
def test_any_text_is_answered_or_refused(text):
    found: tuple[str, ...] = ()
    with contextlib.suppress(NotFound):
        found = meant(text)
    if not found:
        with pytest.raises(NotFound) as refused:
            meant(text)
        assert str(refused.value.note).isprintable()
    assert set(found) <= {*KNOWN, *(gpu.name for gpu in CATALOG.gpus)}


@given(st.text())
def test_what_is_shown_of_a_text_is_never_long(text):
    assert len(shown(text)) <= SHOWN
