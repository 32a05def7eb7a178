"""Free text in, command and named texts out."""

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bot.commands
import bot.dispatch
from analytics.catalog import load_catalog
from analytics.errors import AskError
from analytics.evidence import Note
from bot.dispatch.command import Command, Param
from bot.dispatch.grammar import line_for, read
from bot.dispatch.kinds import KINDS
from bot.dispatch.params import gpu_test
from bot.dispatch.verbs import find_command, tokens
from bot.presentation.card import Card
from bot.presentation.words import Words

_is_gpu = gpu_test(load_catalog(), ())


async def _ask(query: Any, **values: Any) -> None: ...


def _card(answer: Any, words: Any) -> Card:
    return Card("", "")


def _command(name: str, *params: Param) -> Command:
    return Command(name, name, f"/{name}", params, _ask, _card, (f"{name} example",))


COMMANDS = (
    _command("predict", Param("gpu_name", "gpu", "", required=True)),
    _command("savings", Param("gpu", "gpu", "", required=True), Param("hours", "hours", "", aliases=("for",))),
    _command(
        "cost",
        Param("model", "text", "", required=True),
        Param("dataset_size", "gigabytes", ""),
        Param("gpu", "gpus", ""),
        Param("method", "choice", "", choices=("lora", "qlora", "full")),
    ),
    _command(
        "fleet",
        Param("budget", "usd_per_month", "", required=True),
        Param("workload", "choice", "", choices=("training", "inference")),
        Param("hours_per_month", "number", "", positional=False),
    ),
    _command("monitor", Param("gpu", "gpus", ""), Param("limit", "int", "")),
    _command(
        "llm",
        Param("model_size", "text", "", required=True, joins=("b",)),
        Param("min_vram", "gigabytes", ""),
        Param("max_price", "usd_per_hour", ""),
    ),
    _command("history", Param("gpu_name", "gpu", "", required=True), Param("days", "days", "")),
    _command("interruptions", Param("period", "period", "", choices=("7d", "30d")), Param("gpu", "gpus", "")),
    _command("availability", Param("gpu", "gpu", "", required=True), Param("gpus", "gpu_count", "")),
)
WITH_HELP = (*COMMANDS, _command("help", Param("verb", "text", "")))


def _read(line: str) -> tuple[str, dict[str, str]]:
    command, given_texts = read(line, COMMANDS, _is_gpu)
    return command.name, given_texts


@pytest.mark.parametrize(
    ("line", "name", "texts"),
    [
        ("monitor", "monitor", {}),
        ("/spot monitor", "monitor", {}),
        ("Predict rtx4090", "predict", {"gpu_name": "rtx4090"}),
        ("predict RTX 4090", "predict", {"gpu_name": "RTX 4090"}),
        ("predict “RTX 4090”", "predict", {"gpu_name": "RTX 4090"}),
        ("predict gpu_name='rtx 4090'", "predict", {"gpu_name": "rtx 4090"}),
        ("savings 4090 100h", "savings", {"gpu": "4090", "hours": "100h"}),
        ("savings 100h 4090", "savings", {"gpu": "4090", "hours": "100h"}),
        ("savings 4090 for=100h", "savings", {"gpu": "4090", "hours": "100h"}),
        ("savings RTX 4090 100", "savings", {"gpu": "RTX 4090", "hours": "100"}),
        ("cost llama2-7b 50GB", "cost", {"model": "llama2-7b", "dataset_size": "50GB"}),
        ("cost llama2-7b 50GB h100 sxm", "cost", {"model": "llama2-7b", "dataset_size": "50GB", "gpu": "h100 sxm"}),
        ("cost qlora llama2-7b", "cost", {"model": "llama2-7b", "method": "qlora"}),
        ("cost llama2-7b gpu=h100", "cost", {"model": "llama2-7b", "gpu": "h100"}),
        ("fleet $500 training", "fleet", {"budget": "$500", "workload": "training"}),
        ("fleet training 500", "fleet", {"budget": "500", "workload": "training"}),
        ("fleet 500 hours-per-month=200", "fleet", {"budget": "500", "hours_per_month": "200"}),
    ],
)
def test_a_line_names_a_command_and_its_texts(line: str, name: str, texts: dict[str, str]) -> None:
    assert _read(line) == (name, texts)


@pytest.mark.parametrize(
    ("line", "name", "texts"),
    [
        ("savings 4090 100 h", "savings", {"gpu": "4090", "hours": "100h"}),
        ("savings 4090 3 days", "savings", {"gpu": "4090", "hours": "3days"}),
        ("savings 4090 1,5h", "savings", {"gpu": "4090", "hours": "1,5h"}),
        ("savings 4090 1.500 h", "savings", {"gpu": "4090", "hours": "1.500h"}),
        ("savings 4090 D 100h", "savings", {"gpu": "4090 D", "hours": "100h"}),
        ("savings 4090D 100h", "savings", {"gpu": "4090D", "hours": "100h"}),
        ("cost llama2-7b 50 GB", "cost", {"model": "llama2-7b", "dataset_size": "50GB"}),
        ("cost llama2-7b 1.5 TB h100", "cost", {"model": "llama2-7b", "dataset_size": "1.5TB", "gpu": "h100"}),
        ("cost llama2-7b a100 80 GB", "cost", {"model": "llama2-7b", "gpu": "a100 80GB"}),
        ("cost llama2-7b a100 80GB", "cost", {"model": "llama2-7b", "gpu": "a100 80GB"}),
        ("cost llama2-7b h100 80GB", "cost", {"model": "llama2-7b", "gpu": "h100 80GB"}),
        ("fleet training 400 USD", "fleet", {"workload": "training", "budget": "400USD"}),
        ("fleet training US$ 400", "fleet", {"workload": "training", "budget": "US$400"}),
        ("fleet $ 400 training", "fleet", {"workload": "training", "budget": "$400"}),
        ("fleet 400$", "fleet", {"budget": "400$"}),
        ("fleet 400 USD a month", "fleet", {"budget": "400 USD a month"}),
        ("fleet training €400", "fleet", {"workload": "training", "budget": "€400"}),
        ("fleet R$ 400", "fleet", {"budget": "R$400"}),
        ("fleet 400 EUR", "fleet", {"budget": "400EUR"}),
        ("llm 7 B", "llm", {"model_size": "7B"}),
        ("llm 70B $2", "llm", {"model_size": "70B", "max_price": "$2"}),
        ("history 4090 7d", "history", {"gpu_name": "4090", "days": "7d"}),
        ("history 4090 2 weeks", "history", {"gpu_name": "4090", "days": "2weeks"}),
        ("interruptions 30 days", "interruptions", {"period": "30days"}),
        ("interruptions 30d 4090", "interruptions", {"period": "30d", "gpu": "4090"}),
        ("availability 4090 8 gpus", "availability", {"gpu": "4090", "gpus": "8gpus"}),
        ("availability 4090 8x", "availability", {"gpu": "4090", "gpus": "8x"}),
        ("monitor 4090 3090", "monitor", {"gpu": "4090,3090"}),
        ("monitor rtx 4090 h100 sxm 20", "monitor", {"gpu": "rtx 4090,h100 sxm", "limit": "20"}),
        ("llm 7B --max-price 0.5", "llm", {"model_size": "7B", "max_price": "0.5"}),
        ("llm 7B --max-price=0.5", "llm", {"model_size": "7B", "max_price": "0.5"}),
        ("llm —max-price 0.5 7B", "llm", {"model_size": "7B", "max_price": "0.5"}),
    ],
)
def test_a_quantity_may_be_written_as_answers_print_it(line: str, name: str, texts: dict[str, str]) -> None:
    assert _read(line) == (name, texts)


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("availability 3060 8", {"gpu": "3060", "gpus": "8"}),
        ("windows 4060 16", {"gpu_name": "4060", "hours": "16"}),
        ("savings 4090 24", {"gpu": "4090", "hours": "24"}),
        ("availability T4 16", {"gpu": "T4", "gpus": "16"}),
        ("savings v100 32 100h", {"gpu": "v100 32", "hours": "100h"}),
        ("monitor 3080 12", {"gpu": "3080 12"}),
        ("savings rtx 4060 ti 16gb 100h", {"gpu": "rtx 4060 ti 16gb", "hours": "100h"}),
        ("savings L40S 48 GB", {"gpu": "L40S 48 GB"}),
        ("cost 500M 4090", {"model": "500M", "gpu": "4090"}),
        ("cost 7B 8x 4090", {"model": "7B", "gpus": "8x", "gpu": "4090"}),
        ("cost llama 2 7b 4090 50GB", {"model": "llama 2 7b", "gpu": "4090", "dataset_size": "50GB"}),
        ("cost llama2-7b 4O9O", {"model": "llama2-7b", "gpu": "4O9O"}),
        ("llm 500M", {"model_size": "500M"}),
        ("llm llama 3 70b 48", {"model_size": "llama 3 70b", "min_vram": "48"}),
        ("llm qwen3 30b a3b", {"model_size": "qwen3 30b a3b"}),
        ("llm 7B $0,3 por GPU-hora", {"model_size": "7B", "max_price": "$0,3 por GPU-hora"}),
        ("interruptions RTX 4080S", {"gpu": "RTX 4080S"}),
        ("interruptions 30 4090", {"period": "30", "gpu": "4090"}),
        ("availability 8× RTX 4090", {"gpus": "8×", "gpu": "RTX 4090"}),
        ("availability RTX 4090 ×8", {"gpus": "×8", "gpu": "RTX 4090"}),
        ("availability 8 4090", {"gpu": "4090", "gpus": "8"}),
        ("savings 4090 100 horas de GPU", {"gpu": "4090", "hours": "100 horas de GPU"}),
        ("savings 4090 hours=100 h", {"gpu": "4090", "hours": "100 h"}),
        ("savings 4090 1.5 h.", {"gpu": "4090", "hours": "1.5h."}),
        ("savings gpu=RTX 4090", {"gpu": "RTX 4090"}),
        ("savings 4O9O 100", {"gpu": "4O9O", "hours": "100"}),
        ("predict gpu=4090", {"gpu_name": "4090"}),
        ("monitor 4090 , 3090", {"gpu": "4090,3090"}),
        ("monitor 4090 e h100", {"gpu": "4090,h100"}),
        ("monitor 4090 3O90", {"gpu": "4090,3O90"}),
        ("fleet 500 160 h a month", {"budget": "500", "hours_per_month": "160 h a month"}),
        ("fleet €400/mês", {"budget": "€400/mês"}),
        ("fleet 400 US dollars", {"budget": "400 US dollars"}),
        ("alert 4O9O < 0.3", {"gpu": "4O9O", "condition": "< 0.3"}),
        ("alert edit last hold=1 h margin=2.5 %", {"id": "last", "hold": "1 h", "margin": "2.5 %"}),
    ],
)
def test_a_number_goes_where_it_was_meant_in_every_command(line: str, texts: dict[str, str]) -> None:
    assert read(line, bot.commands.COMMANDS, _is_gpu)[1] == texts


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("savings 4090 3090", "write hours=3090"),
        ("fleet 1 500", "write 1500"),
        ("fleet 1\u00a0500", "write 1500"),
        ("fleet $1 500", r"write \$1500"),
        ("llm 7B 1 500", "write 1500"),
        ("cost llama2-7b 4090 24GB", "write dataset_size=24GB"),
    ],
)
def test_what_may_be_two_things_is_asked_back(line: str, says: str) -> None:
    with pytest.raises(AskError, match=says):
        read(line, bot.commands.COMMANDS, _is_gpu)


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("savings 4090 100 h", "savings 4090 100h"),
        ("monitor rtx 4090 h100 sxm 20", "monitor rtx 4090,h100 sxm 20"),
        ("fleet 400 USD a month", "fleet 400 USD a month"),
        ("cost llama2-7b a100 80 GB", "cost llama2-7b a100 80GB"),
    ],
)
def test_what_was_read_is_written_so_that_it_is_read_again(line: str, texts: str) -> None:
    def again(text: str) -> tuple[Command, dict[str, str]]:
        return read(text, COMMANDS, _is_gpu)

    assert line_for(*again(line), again) == texts


@pytest.mark.parametrize(
    "line",
    [
        "\u200bpredict rtx 4090",
        "\ufeffpredict rtx 4090",
        "`predict rtx 4090`",
        "```\npredict rtx 4090\n```",
        "*predict rtx 4090*",
        "ｐｒｅｄｉｃｔ ｒｔｘ ４０９０",
        "predict\u00a0rtx\u202f4090",
        "predict “rtx 4090”",
        "predict &quot;rtx 4090&quot;",
        "<@U012ABC> predict rtx 4090",
        "@spotbot predict rtx 4090",
        "prever rtx 4090",
        "Previsão rtx 4090",
        "PRE\u00advER rtx 4090",
        "predict —gpu-name 'rtx 4090'",
    ],
)
def test_a_line_is_cleaned_once_before_anything_is_read(line: str) -> None:
    assert _read(line) == ("predict", {"gpu_name": "rtx 4090"})


@pytest.mark.parametrize("line", ["predict --help", "predict —help", "predict –help", "ajuda predict", "predict ?"])
def test_help_is_asked_for_in_many_ways(line: str) -> None:
    command, texts = read(line, WITH_HELP, _is_gpu)
    assert (command.name, texts) == ("help", {"verb": "predict"})


@pytest.mark.parametrize(
    ("line", "suggestions"),
    [
        ("fleet trianing 500", ("training",)),
        ("llm 7B --max-prce 0.5", ("max_price", "min_vram", "model_size")),
        ("predicao 4090", ("predict", "monitor")),
        ("monitorr", ("monitor",)),
        ("how much is a 4090", ("monitor 4090",)),
        ("quanto custa uma rtx 4090?", ("monitor rtx 4090",)),
        ("will the 4090 be cheaper tonight?", ("predict 4090", "monitor 4090")),
        ("o que economizo contra a AWS com a 3090", ("savings 3090",)),
        ("which GPU fits llama 70B", ("llm 70b",)),
        ("how do I spend $500 a month", ("fleet $500",)),
    ],
)
def test_what_is_nearly_understood_gets_what_was_perhaps_meant(line: str, suggestions: tuple[str, ...]) -> None:
    with pytest.raises(AskError) as caught:
        _read(line)
    assert caught.value.suggestions == suggestions


def test_an_unknown_gpu_still_reaches_its_parameter_to_be_suggested_about() -> None:
    assert _read("predict RTX 4O90") == ("predict", {"gpu_name": "RTX 4O90"})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "say what you want"),
        ("predikt 4090", "no command “predikt”"),
        ("savings 4090 100h 4090", "“4090” was not understood"),
        ("predict gpu_name=a gpu_name=b", "given twice"),
        ("savings 4090 for=1h hours=2h", "hours was given twice"),
        ("monitor " + "x" * 2000, "at most 1,000"),
    ],
)
def test_what_cannot_be_read_says_why(line: str, says: str) -> None:
    with pytest.raises(AskError, match=says):
        _read(line)


def test_a_misspelt_verb_gets_the_nearest_ones() -> None:
    with pytest.raises(AskError) as caught:
        find_command(["predikt"], COMMANDS)
    assert caught.value.suggestions == ("predict",)


def test_a_verb_near_nothing_gets_all() -> None:
    with pytest.raises(AskError) as caught:
        find_command(["zzzzzz"], COMMANDS)
    assert set(caught.value.suggestions) == {command.name for command in COMMANDS}


def test_quotes_keep_words_together() -> None:
    assert tokens("""a "b c" name="d e" 'f'""") == ["a", "b c", "name=d e", "f"]


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        name, texts = _read(line)
    except AskError:
        return
    assert name in {command.name for command in COMMANDS}
    assert all(isinstance(text, str) for text in texts.values())


def test_every_text_of_the_framework_is_translated() -> None:
    folder = Path(bot.dispatch.__file__).parent
    sources = [
        folder / "grammar.py",
        folder / "verbs.py",
        folder / "params.py",
        folder / "kinds.py",
        folder.parent / "faces" / "console" / "face.py",
    ]
    texts = {text for file in sources for text in _texts(ast.parse(file.read_text(encoding="utf-8")))}
    texts |= {kind.want for kind in KINDS.values() if kind.want}
    portuguese = Words("pt-BR", 0)
    assert len(texts) > 20
    untranslated = [text for text in texts if portuguese(Note(text)) == text]
    assert untranslated == []


def _texts(tree: ast.AST) -> Iterator[str]:
    """What is passed to Note(...), Plural(...), words(...) or as the wish of bad(...)/_measure(...)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            places = {"Note": 0, "Plural": 0, "words": 0, "bad": 2}
            place = places.get(node.func.id)
            if place is not None and isinstance(node.args[place], ast.Constant):
                yield node.args[place].value


ADD = dataclasses.replace(_command("alert add", Param("gpu", "gpu", "", required=True)), group_default=True)
GROUP = (ADD, _command("alert show", Param("id", "text", "")), _command("alert list"))


@pytest.mark.parametrize(
    ("line", "name", "given_texts"),
    [
        ("alert", "alert list", {}),
        ("alert show a1", "alert show", {"id": "a1"}),
        ("alert add 4090", "alert add", {"gpu": "4090"}),
        ("alert 4090", "alert add", {"gpu": "4090"}),
        ("ALERT H100 SXM", "alert add", {"gpu": "H100 SXM"}),
    ],
)
def test_a_group_may_have_a_verb_that_is_meant_where_none_is_said(
    line: str, name: str, given_texts: dict[str, str]
) -> None:
    command, texts = read(line, GROUP, _is_gpu)
    assert (command.name, texts) == (name, given_texts)
