"""What the prompt offers, asked as prompt_toolkit asks, and what the lines that come of it mean."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from analytics.catalog import load_catalog
from analytics.errors import AskError
from bot.commands import COMMANDS
from bot.dispatch.command import Command
from bot.dispatch.completion import Completion
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.grammar import read
from bot.dispatch.offers import KEPT_SECONDS
from bot.dispatch.params import gpu_test
from bot.dispatch.plain_questions import PROSE
from bot.dispatch.verbs import MAX_LINE, find_command
from bot.faces.console.completer import LineCompleter
from bot.store.engine import open_store
from bot.store.errors import StoreError
from tests.commands.conftest import NAMES, NOW

A100_80 = {"A100 SXM4 80GB", "A100 PCIE 80GB"}


async def lines(dispatcher: Dispatcher, typed: str) -> list[str]:
    """The lines that the prompt makes of what is typed, in the order of its offers."""
    found = LineCompleter(dispatcher).get_completions_async(Document(typed), CompleteEvent(completion_requested=True))
    return [typed[: len(typed) + shown.start_position] + shown.text async for shown in found]


async def words(dispatcher: Dispatcher, typed: str) -> list[str]:
    """What of these lines is behind all that is typed."""
    return [line.removeprefix(typed) for line in await lines(dispatcher, typed)]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("p", "predict"),
        ("/spot sav", "/spot savings"),
        ("prev", "prever"),
        ("pre", "predict"),
        ("predcit", "predict"),
        ("ex", "exit"),
        ("alert a", "alert add"),
        ("alerta ad", "alerta add"),
        ("alerta cri", "alerta criar"),
        ("help sav", "help savings"),
        ("help alert sn", "help alert snooze"),
    ],
)
async def test_verbs_are_offered_where_a_verb_stands(dispatcher: Dispatcher, typed: str, first: str) -> None:
    assert (await lines(dispatcher, typed))[0] == first


async def test_all_verbs_are_offered_of_an_empty_line_once_each(dispatcher: Dispatcher) -> None:
    verbs = dict.fromkeys(command.name.split()[0] for command in COMMANDS)
    assert await lines(dispatcher, "") == [*verbs, "exit"]


async def test_a_group_offers_its_members_then_what_it_takes_by_default(dispatcher: Dispatcher) -> None:
    members = [command.name.split()[1] for command in COMMANDS if command.name.startswith("alert ")]
    offered = await words(dispatcher, "alert ")
    assert offered[: len(members)] == members
    assert "RTX 4090" in offered
    assert await words(dispatcher, "webhook ") == [
        command.name.split()[1] for command in COMMANDS if command.name.startswith("webhook ")
    ]


@pytest.mark.parametrize(
    ("typed", "verb", "meant"),
    [
        ("predict 40", "predict", {"gpu_name": "RTX 4090"}),
        ("predict rtx 4", "predict", {"gpu_name": "RTX 4090"}),
        ("predict rtx4", "predict", {"gpu_name": "RTX 4090"}),
        ("predict 4O9O", "predict", {"gpu_name": "RTX 4090"}),
        ("predict 4090 ti", "predict", {"gpu_name": "RTX 4090"}),
        ("predict h10", "predict", {"gpu_name": "H100 SXM"}),
        ("predict 6000 ada", "predict", {"gpu_name": "RTX 6000Ada"}),
        ("predict gpu_name=40", "predict", {"gpu_name": "RTX 4090"}),
        ("predict --gpu-name 40", "predict", {"gpu_name": "RTX 4090"}),
        ('predict "rtx 40', "predict", {"gpu_name": "RTX 4090"}),
        ("prever 40", "predict", {"gpu_name": "RTX 4090"}),
        ("savings 100h 40", "savings", {"hours": "100h", "gpu": "RTX 4090"}),
        ("monitor 4090 30", "monitor", {"gpu": "4090,RTX 3090"}),
        ("monitor 4090,30", "monitor", {"gpu": "4090,RTX 3090"}),
        ("monitor 4090, rtx 30", "monitor", {"gpu": "4090,RTX 3090"}),
        ("monitor gpu=4090,30", "monitor", {"gpu": "4090,RTX 3090"}),
        ('monitor gpu="RTX 4090, rtx 30', "monitor", {"gpu": "RTX 4090,RTX 3090"}),
        ("savings rtx 4O9O", "savings", {"gpu": "RTX 4090"}),
        ("monitor ver", "monitor", {"scope": "verified"}),
        ("monitor verifeid", "monitor", {"scope": "verified"}),
        ("monitor scope=", "monitor", {"scope": "verified"}),
        ("cost llama", "cost", {"model": "llama2-7b"}),
        ("cost mixtral-8x2", "cost", {"model": "mixtral-8x22b"}),
        ("cost llama3 8", "cost", {"model": "llama3-8b"}),
        ("cost lamma2", "cost", {"model": "llama2-7b"}),
        ("cost llama2-7b 40", "cost", {"model": "llama2-7b", "gpu": "RTX 4090"}),
        ("cost llama2-7b 40 ", "cost", {"model": "llama2-7b", "gpu": "RTX 4090"}),
        ("cost llama2-7b q", "cost", {"model": "llama2-7b", "method": "qlora"}),
        ("llm model_size=qwen2", "llm", {"model_size": "qwen2.5-0.5b"}),
        ("llm 7B inf", "llm", {"model_size": "7B", "mode": "inference"}),
        ("fleet $100 tr", "fleet", {"budget": "$100", "workload": "training"}),
        ("interruptions 30d 40", "interruptions", {"period": "30d", "gpu": "RTX 4090"}),
        ("alert 40", "alert add", {"gpu": "RTX 4090"}),
        ("alert 4090 drops 1", "alert add", {"gpu": "4090", "condition": "drops 10% in 24h"}),
        ("alert offer 40", "alert add", {"gpu": "RTX 4090", "condition": "offer"}),
        ("alert 4090 < 0.3 to=", "alert add", {"gpu": "4090", "condition": "< 0.3", "to": "channel"}),
        ("alert snooze last 4", "alert snooze", {"id": "last", "time": "4h"}),
        ("settings me gpus=4090,h10", "settings me", {"gpus": "4090,H100 SXM"}),
    ],
)
async def test_the_best_offer_makes_a_line_that_is_read_as_it_was_meant(
    dispatcher: Dispatcher, typed: str, verb: str, meant: dict[str, str]
) -> None:
    command, texts = await dispatcher.read((await lines(dispatcher, typed))[0])
    assert (command.name, texts) == (verb, meant)


@pytest.mark.parametrize("typed", ["predict a100 8", "savings a100 8", "predict a100 80", "predict a100 80g"])
async def test_a_model_replaces_all_words_of_it_that_were_typed(dispatcher: Dispatcher, typed: str) -> None:
    verb = typed.split()[0]
    assert {line.removeprefix(f"{verb} ") for line in (await lines(dispatcher, typed))[:2]} == A100_80


async def test_models_come_busiest_first(dispatcher: Dispatcher) -> None:
    async with dispatcher.query_context() as query:
        known = await query.known()
    assert await words(dispatcher, "predict ") == [*known, "gpu_name="]
    a100 = [name for name in known if name in A100_80]
    assert [line.removeprefix("predict ") for line in (await lines(dispatcher, "predict a100"))[:2]] == a100


async def test_a_family_can_be_narrowed_where_one_model_is_taken(dispatcher: Dispatcher) -> None:
    narrowed = await lines(dispatcher, "savings a100 ")
    assert {line.removeprefix("savings ") for line in narrowed[:2]} == A100_80
    assert narrowed[-2:] == ["savings a100 hours=", "savings a100 hours_per_year="]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("savings 4090 ", ["hours=", "hours_per_year="]),
        ("savings 4090 100h ", ["hours_per_year="]),
        ("savings 4090 hours=5 ", ["hours_per_year="]),
        ("savings 4090 --hours 5 ", ["hours_per_year="]),
        ("savings gpu=4090 hours=5 hours_per_year=1 ", []),
        ("windows 4090 9h ", ["tz="]),
        ("alert list ", []),
        ("alert snooze last ", ["30m", "1h", "4h", "24h", "time="]),
        ("fleet $100 training hi", ["gh"]),
        ("fleet $100 training high ", ["hours_per_month=", "min_vram="]),
        ("monitor scope=verified limit=3 gpu=4090 ", []),
        ("savings 4090 gpu=", []),
        ("savings 4090 nonsense=", []),
        ("predict RTX 4090 xyzzyx", []),
        ("savings 4090 training", []),
        ("nonsense 40", []),
    ],
)
async def test_only_what_is_still_free_is_offered_and_no_verbs(
    dispatcher: Dispatcher, typed: str, offered: list[str]
) -> None:
    assert await words(dispatcher, typed) == offered


async def test_another_name_of_a_parameter_gives_its_own(dispatcher: Dispatcher) -> None:
    assert await lines(dispatcher, "alert add 4090 < 0.3 fo") == ["alert add 4090 < 0.3 hold="]


@pytest.mark.parametrize(
    "typed",
    [
        *("monitor 4090 a100 sxm4 80gb ", "monitor 4090,a100 sxm4 80gb,", "monitor 4090,A100_SXM4_80GB "),
        *("monitor gpu=4090,a100-sxm4-80gb,", 'monitor gpu="4090,a100 sxm4 80gb,'),
    ],
)
async def test_models_that_are_said_are_not_offered_again(dispatcher: Dispatcher, typed: str) -> None:
    read_as = [(await dispatcher.read(line))[1]["gpu"].split(",") for line in (await lines(dispatcher, typed))[:5]]
    assert {models[-1] for models in read_as} == {*NAMES} - {"RTX 4090", "A100 SXM4 80GB"}


@pytest.mark.parametrize(
    "typed", ["cost ", "cost llama2-7b ", "cost gpu=rtx", "alert ", "alert a", "llm 7", "predict r", "settings me "]
)
async def test_at_most_twenty_five_are_offered_each_once(dispatcher: Dispatcher, typed: str) -> None:
    offered = await lines(dispatcher, typed)
    assert 0 < len(offered) <= 25
    assert len(set(offered)) == len(offered)


async def test_models_of_the_catalogue_are_offered_where_nothing_was_polled(empty_dispatcher: Dispatcher) -> None:
    assert "predict RTX 4090" in await lines(empty_dispatcher, "predict 40")


async def test_a_store_that_cannot_be_read_takes_no_offers_away(market_file: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(market_file, tmp_path / "market.db"))
    store = await open_store(f"sqlite:///{file}", writer=False)
    dispatcher = Dispatcher(store, COMMANDS, lambda: NOW)
    completer, document = LineCompleter(dispatcher), Document("predict ")

    async def offered() -> list[str]:
        return [shown.text async for shown in completer.get_completions_async(document, CompleteEvent())]

    before = await offered()
    file.write_bytes(b"no database" * 1000)  # noqa: ASYNC240  nothing else runs here
    dispatcher.clock = lambda: NOW + KEPT_SECONDS
    with pytest.raises(StoreError):
        async with dispatcher.query_context() as query:
            await query.known()
    assert await offered() == before != ["gpu_name="]
    await store.close()


COMPLETION = Completion(COMMANDS, load_catalog(), NAMES)
IS_GPU = gpu_test(load_catalog(), NAMES)
PARTS = (
    *(word for command in COMMANDS for example in command.examples for word in example.split()),
    *(
        "all ",
        "tudo",
        ",",
        "=",
        '"',
        "'",
        "--",
        "--to ",
        "gpu=",
        "gpus=",
        " ",
        "\u200b",
        "“",
        "4090,",
        "40",
        "a100 ",
        "8",
        "<",
        "\n",
    ),
    *(
        "/spot",
        "help",
        "alert",
        "prever",
        "=4090",
        "\uff0c",
        "e\u0301",
        "--hours",
        "hours=",
        "1,5",
        "&lt;",
        "`",
        "\0",
        "\ud800",
    ),
)
LINES = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(PARTS), max_size=9).map(" ".join),
    st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=3)), max_size=9).map("".join),
)


@given(line=LINES)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_typed_completion_answers(line: str) -> None:
    offers = COMPLETION.offers(line)
    assert len(offers) <= 25
    assert all(offer.text and 0 <= offer.start <= len(line) for offer in offers)


@given(start=st.sampled_from(COMMANDS), line=st.lists(st.sampled_from(PARTS), max_size=4).map(" ".join))
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@example(start=find_command(["llm"], COMMANDS)[0], line="EU")
def test_an_offer_makes_no_line_worse(start: Command, line: str) -> None:
    """What could be read is read still, unless a name waits for its value, or it becomes a sentence."""
    typed = f"{start.name} {line} "
    if not PROSE.isdisjoint(typed.lower().split()):
        return
    try:
        read(typed, COMMANDS, IS_GPU)
    except AskError:
        return
    for offer in COMPLETION.offers(typed):
        if not offer.text.endswith("="):
            read(typed[: offer.start] + offer.text, COMMANDS, IS_GPU)


def test_a_line_too_long_to_be_read_is_offered_nothing() -> None:
    assert COMPLETION.offers("predict 40" + " " * MAX_LINE) == []
