"""Questions in plain words are answered with lines that ask them: what was said is in them, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from analytics.catalog import load_catalog
from analytics.errors import AskError
from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.grammar import read
from bot.dispatch.params import gpu_test
from bot.dispatch.reply import reply
from bot.dispatch.verbs import instead_of, tokens
from bot.store.engine import open_store
from tests.commands.conftest import NOW

IS_GPU = gpu_test(load_catalog(), ())
ANA = Asker("slack", "T1", "UA", "C1", locale="en-US")
RUI = Asker("slack", "T1", "UR", "C1", locale="pt-BR")

FULLY_TOLD = {
    "notify me if h100 drops under 1.50": "alert h100 < 1.50",
    "tell me when h100 < $1.50": "alert h100 < 1.50",
    "criar alerta h100 < 1,50": "alert h100 < 1.5",
    "avise se h100 ficar abaixo de 1,50": "alert h100 < 1.5",
    "avisar quando 4090 abaixo de 0,30": "alert 4090 < 0.3",
    "me avise se a 4090 passar de $0,50": "alert 4090 > 0.5",
    "avise quando a 4090 cair para menos de US$ 0,30": "alert 4090 < 0.3",
    "quero um alerta para a 4090 abaixo de 0,30 dólares": "alert 4090 < 0.3",
    "alert me when the 4090 drops below $0.30": "alert 4090 < 0.30",
    "alert 4090 when below 0.3": "alert 4090 < 0.3",
    "alert me when prices drop below 0.3 for 4090": "alert 4090 < 0.3",
    "alert me if h100 <= 2": "alert h100 <= 2",
    "notify me when h100 sxm falls below $1.50/h": "alert h100 sxm < 1.50",
    "tell me when 4090 rises above $0.40, it is less now": "alert 4090 > 0.40",
    "novo alerta a100 80gb < 0,80": "alert a100 80gb < 0.8",
}
"""Model, direction and price are said: the alert is what was asked."""

TOO_LITTLE_TOLD = {
    "let me know when 4090 drops 10%": "help alert",
    "alert if 4090 drops below 30 cents": "help alert",
    "notify me when h100 is under €1,50": "help alert",
    "notify me when h100 falls below $900 per month": "help alert",
    "tell me when more than 8 h100 are available": "help alert",
    "tell me when h100 risk is above 20": "help alert",
    "notify me when 4090 goes under 0.3 or over 0.5": "help alert",
    "tell me when 4090 or 3090 drops below 0.3": "help alert",
    "alert for the 4090": "help alert",
    "do not tell me when 4090 drops below 0.3": "help alert",
    "tell me when 4090 stops being under 0.3": "help alert",
    "tell me when 4090 stays below 0.3 for 3h": "help alert",
    "tell me when 4090 in EU is below 0.3": "help alert",
    "tell me when 4090 drops from 0.5 to 0.3": "help alert",
    "delete webhook abc": "help webhook",
    "forget me": "help settings",
    "criar alerta": "help alert",
    "cancel my alert": "alert list",
    "remove my alert": "alert list",
    "silenciar alerta": "alert list",
    "list my alerts": "alert list",
    "mostrar meus alertas": "alert list",
    "delete the 4090 alert": "alert list",
    "delete alert h100 < 1.50": "alert list",
    "mudar meu alerta da h100 para menos de 1,50": "alert list",
    "silence my alert for h100 under 1.50": "alert list",
    "edit the alert h100 < 1.50": "alert list",
    "stop": "alert list",
    "tenho R$ 1.500 por mês": "help fleet",
    "I have 400 euros a month": "help fleet",
    "tenho 2 mil dólares por mês": "help fleet",
    "I have $2k a month": "help fleet",
    "budget for 8 h100 a month": "help fleet",
    "I spend $0.40 an hour": "help fleet",
    "what is safe": "help windows",
    "treinar um modelo": "help cost",
    "mudar idioma": "help settings",
    "mudar idioma para inglês": "help settings",
    "configurar idioma": "help settings",
    "change language": "help settings",
}
"""Something is missing or not clear: no figure of ours stands in for it."""

FIGURES = {
    "orçamento de 500 dólares": "fleet 500",
    "budget 500": "fleet 500",
    "I have 2,000 dollars monthly": "fleet 2000",
    "tenho 1.500 dólares por mês": "fleet 1500",
    "how do I spend $500 a month": "fleet $500",
    "6000 dollars a month": "fleet 6000",
    "fleet of 500 dollars": "fleet 500",
    "which gpu runs a 7.5b model": "llm 7.5b",
    "qual gpu roda um modelo de 1,5b": "llm 1.5b",
    "what runs 0.5b": "llm 0.5b",
    "which GPU fits llama 70B": "llm 70b",
    "treinar 7b com 0,5GB": "cost 7b 0.5GB",
    "treinar 7b com 1.500 GB": "cost 7b 1500GB",
    "train llama2-7b on 1.5 TB": "cost llama2-7b 1.5TB",
    "quanto custa treinar llama2-7b com 50GB": "cost llama2-7b 50GB",
    "train llama2-7b on the 4090 with 50GB": "cost llama2-7b 50GB 4090",
    "are there 8 h100 free": "availability h100 8",
    "quantas a100 livres": "availability a100",
    "is there any h100 in europe": "availability h100",
    "savings of 4090 over 100 hours": "savings 4090 100h",
    "history of the 4090 for 7 days": "history 4090 7d",
    "interruptions of 4090 in last 30 days": "interruptions 30d 4090",
    "4090": "monitor 4090",
    "5090?": "monitor 5090",
    "how much is a 4090 ?": "monitor 4090",
    "custo da 4090": "monitor 4090",
    "cost of a 7b on 4090": "cost 7b 4090",
    "price of 4090 last week": "history 4090",
    "how good are your forecasts": "accuracy",
    "how accurate are your forecasts?": "accuracy",
    "how well did the forecasts of the 4090 do": "accuracy 4090",
    "quão boas são as previsões": "accuracy",
    "qual a acurácia das previsões da 4090": "accuracy 4090",
    "as previsões acertam": "accuracy",
    "predict price of 4090 tomorrow": "predict 4090",
    "is the 4090 going up": "predict 4090",
    "monitor the 4090 and the 3090": "monitor 4090 3090",
    "compare 4090 vs 3090": "monitor 4090 3090",
    "how risky is the 3090": "reliability 3090",
    "quando é mais seguro usar a 4090": "windows 4090",
    "help me find a cheap 4090": "monitor 4090",
    "what can you do": "help",
    "olá": "help",
}
"""What was said is carried over."""

QUESTIONS = FULLY_TOLD | TOO_LITTLE_TOLD | FIGURES


def refused(line: str) -> AskError:
    with pytest.raises(AskError) as caught:
        read(line, COMMANDS, IS_GPU)
    return caught.value


@pytest.mark.parametrize(("question", "first"), QUESTIONS.items())
def test_the_first_line_offered_asks_what_was_said(question: str, first: str) -> None:
    assert refused(question).suggestions[0] == first


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_line_offered_is_read_and_acts_only_where_all_was_said(question: str) -> None:
    error = refused(question)
    assert set(error.instead) == set(error.instead.values()) == set(error.suggestions)
    for line in error.suggestions:
        command, _ = read(line, COMMANDS, IS_GPU)
        assert not command.acts or (question in FULLY_TOLD and command.name == "alert add"), line


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("apagar alerta 9d2q93", "alert delete 9d2q93"),
        ("delete alert abc", "alert delete abc"),
        ("alert delte X", "alert delete X"),
    ],
)
def test_what_deletes_is_told_but_is_no_button(question: str, line: str) -> None:
    error = refused(question)
    assert error.suggestions == (line,)
    assert error.instead == {}


@pytest.mark.parametrize(
    ("line", "suggestions", "buttons"),
    [
        ("alrt 4090 < 1", ("alert",), ["alert 4090 < 1"]),
        ("flet $99,90", ("fleet",), ["fleet $99.9"]),
        ("flet 1.500 training", ("fleet",), []),
        ("alrt 4090 < 1,500", ("alert",), []),
        ("savigns rtx 4090 for=1,5h", ("savings",), ["savings rtx 4090 for=1.5h"]),
        ("savigns gpu='rtx 4090' 1.500h", ("savings",), []),
        ("savigns gpu='rtx 4090' 15h", ("savings",), ['savings gpu="rtx 4090" 15h']),
        ("savigns 4090 R$1,5", ("savings",), []),
        ("monitorr 4090,3090", ("monitor",), ["monitor 4090,3090"]),
        ("coste qwen2.5-7b", ("cost",), ["cost qwen2.5-7b"]),
        ("alert lst", ("alert list",), ["alert list"]),
        ("alert snoze last 1h", ("alert snooze last 1h",), ["alert snooze last 1h"]),
        ("alert snoze last 1,500h", ("alert snooze",), []),
        ("webhook lst", ("webhook list",), ["webhook list"]),
    ],
)
def test_a_slip_in_a_verb_keeps_the_line_where_every_language_reads_it_alike(
    line: str, suggestions: tuple[str, ...], buttons: list[str]
) -> None:
    error = refused(line)
    assert error.suggestions == suggestions
    assert list(error.instead.values()) == buttons
    for button in buttons:
        read(button, COMMANDS, IS_GPU)


@pytest.mark.parametrize("line", [line for command in COMMANDS for line in command.examples])
def test_no_example_of_a_command_is_taken_for_a_question(line: str) -> None:
    assert line in next(command for command in COMMANDS if command == read(line, COMMANDS, IS_GPU)[0]).examples


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        ("help me", None),
        ("can you help", None),
        ("ajuda", None),
        ("help predict", "predict"),
        ("predict ?", "predict"),
        ("help me with fleet", "fleet"),
        ("help ?", None),
    ],
)
def test_help_is_asked_for_in_sentences_too(line: str, verb: str | None) -> None:
    command, given = read(line, COMMANDS, IS_GPU)
    assert (command.name, given.get("verb")) == ("help", verb)


@pytest.mark.parametrize(
    "line", ["fleet 400 USD a month", "history 4090 1 week", "alert edit last < 0.30", "monitor 4090 e h100"]
)
def test_words_of_sentences_in_a_command_do_not_make_it_a_question(line: str) -> None:
    assert read(line, COMMANDS, IS_GPU)[0].name.split()[0] == line.split()[0]


def test_a_word_before_a_model_is_no_slip_in_the_name_of_a_member_that_takes_none() -> None:
    command, given = read("alert best 4090 < 0.3", COMMANDS, IS_GPU)
    assert (command.name, given["gpu"].split()[0]) == ("alert add", "best")


@pytest.mark.parametrize(
    ("line", "buttons"),
    [
        ("cost treino 7b", ["cost 7b", "llm 7b"]),
        ("savings 4090 quickly", ["savings 4090"]),
        ("cost 7b on 4090 with 50GB", ["cost 7b 50GB 4090", "llm 7b", "monitor 4090"]),
        ("fleet trianing 500", ["fleet 500"]),
        ("fleet training with 1.500", ["fleet 1.5"]),
        ("fleet training around 1.500", []),
        ("fleet training around € 500", []),
    ],
)
def test_a_verb_with_words_that_it_does_not_take_may_be_asked_plainly(line: str, buttons: list[str]) -> None:
    assert list(instead_of(tokens(line), COMMANDS, IS_GPU)) == buttons


@pytest.fixture
async def chat(market_file: Path, tmp_path: Path) -> AsyncIterator[Dispatcher]:
    store = await open_store(f"sqlite:///{shutil.copy(market_file, tmp_path / 'own.db')}", writer=True)
    yield Dispatcher(store, COMMANDS, lambda: NOW + 60)
    await store.close()


@pytest.mark.parametrize("question", ["I have 2,000 dollars monthly", "tenho 2.000 dólares por mês"])
async def test_a_button_asks_the_same_number_whoever_presses_it(chat: Dispatcher, question: str) -> None:
    for asker in (ANA, RUI):
        offered = await reply(chat, asker, question, default="en")
        assert [action.line for action in offered.card.actions] == ["fleet 2000"]
        for other in (ANA, RUI):
            answered = await reply(chat, other, "fleet 2000", default="en")
            assert answered.answer.budget == 2000
