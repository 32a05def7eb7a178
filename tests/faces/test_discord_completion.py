"""What Discord offers while somebody types, through its own SDK."""

import pytest

from tests.fakes.discord_house import Guild

A100_80 = {"A100 SXM4 80GB", "A100 PCIE 80GB"}


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("40", "RTX 4090"),
        ("rtx 40", "RTX 4090"),
        ("rtx49", "RTX 4090"),
        ("4O9O", "RTX 4090"),
        ("4090 ti", "RTX 4090"),
        ("h100", "H100 SXM"),
        ("H100 s", "H100 SXM"),
        ("6000 ada", "RTX 6000Ada"),
        ("a6", "RTX A6000"),
        ("l4", "L4"),
        ("l40", "L40"),
        ("4080 su", "RTX 4080S"),
        ("3090 t", "RTX 3090 Ti"),
    ],
)
async def test_the_model_that_is_most_likely_meant_is_offered_first(server: Guild, typed: str, first: str) -> None:
    assert (await server.discord.complete("predict", "gpu_name", typed))[0] == first


@pytest.mark.parametrize("typed", ["a100", "a100 8", "a100 80", "80"])
async def test_models_that_fit_alike_come_busiest_first(server: Guild, typed: str) -> None:
    everything = await server.discord.complete("predict", "gpu_name", "")
    fitting = [name for name in everything if name in A100_80]
    assert (await server.discord.complete("predict", "gpu_name", typed))[:2] == fitting


async def test_a_list_goes_on_behind_its_last_comma_without_what_it_has(server: Guild) -> None:
    offered = await server.discord.complete("monitor", "gpu", "4090,a100 sxm4 80gb, a100")
    assert offered[0] == "4090,a100 sxm4 80gb,A100 PCIE 80GB"
    assert "4090,a100 sxm4 80gb,A100 SXM4 80GB" not in offered
    nothing_begun = await server.discord.complete("monitor", "gpu", "4090,")
    assert "4090,RTX 3090" in nothing_begun
    assert "4090,RTX 4090" not in nothing_begun
    assert (await server.discord.complete("settings me", "gpus", "4090,30"))[0] == "4090,RTX 3090"


@pytest.mark.parametrize(
    ("verb", "option", "typed", "first"),
    [
        ("cost", "model", "", ["llama2-7b", "llama3-8b", "mistral-7b"]),
        ("cost", "model", "llama3", ["llama3-8b", "llama3-70b"]),
        ("cost", "model", "Qwen 2.5 72", ["Qwen 2.5 72", "qwen2.5-72b"]),
        ("cost", "model", "8x22", ["8x22", "mixtral-8x22b"]),
        ("cost", "model", "lamma2", ["llama2-7b"]),
        ("cost", "model", "9B", ["9B", "gemma2-9b"]),
        ("llm", "model_size", "7b", ["7b", "7B"]),
        ("llm", "model_size", "Qwen/Qwen2.5-7B-Instruct", ["Qwen/Qwen2.5-7B-Instruct"]),
        ("alert add", "condition", "drops 20%", ["drops 20%"]),
        ("alert add", "condition", "drops", ["drops", "drops 10% in 24h"]),
    ],
)
async def test_language_models_of_the_catalogue_and_what_is_typed_are_offered(
    server: Guild, verb: str, option: str, typed: str, first: list[str]
) -> None:
    offered = await server.discord.complete(verb, option, typed)
    assert offered[: len(first)] == first
    assert len(offered) <= 25
