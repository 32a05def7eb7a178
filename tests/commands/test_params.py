"""Typed values from texts, and clear refusals."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.catalog import load_catalog, resolve
from analytics.errors import AskError, NotFound
from analytics.evidence import Note
from analytics.quantities import ENGLISH, PLAIN, PORTUGUESE, NumberFormat
from bot.commands import COMMANDS
from bot.dispatch.command import Command, Param
from bot.dispatch.kinds import KINDS, MAX_TEXT, shorten
from bot.dispatch.params import convert
from bot.presentation.card import Card
from bot.presentation.words import Words


class FakeDesk:
    """Knows two models and a language; what `convert` needs of a query."""

    def __init__(self, numbers: NumberFormat = ENGLISH) -> None:
        self.numbers = numbers
        self.language = None if numbers is PLAIN else "en"
        self.catalog = load_catalog()
        self.priced: tuple[str, ...] = ()
        self.remarks: list[Note] = []

    async def with_prices(self, models: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(model for model in models if model in self.priced)

    async def resolve(self, text: str) -> tuple[str, ...]:
        return resolve(text, load_catalog(), ("RTX 4090", "H100 SXM"))


async def _ask(query: Any, **values: Any) -> None: ...


def _command(*params: Param) -> Command:
    return Command("made-up", "", "/x", params, _ask, lambda a, w: Card("", ""), ("made-up 1",))


async def _value(kind: str, text: str, written: NumberFormat = ENGLISH, **more: Any) -> Any:
    desk = FakeDesk(written)
    values = await convert(_command(Param("p", kind, "", **more)), {"p": text}, desk)  # type: ignore[arg-type]
    return values["p"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("gpu", "rtx4090", "RTX 4090"),
        ("gpus", "4090", ("RTX 4090",)),
        ("int", "8", 8),
        ("gpu_count", "8x", 8),
        ("days", "2 weeks", 14),
        ("number", "1e3", 1000.0),
        ("percent", "5%", 5.0),
        ("usd_per_month", "1,200", 1200.0),
        ("number", "1.", 1.0),
        ("usd_per_hour", "$0.35", 0.35),
        ("usd_per_month", "US$ 1,200.50", 1200.5),
        ("hours", "100h", 100.0),
        ("hours", "3d", 72.0),
        ("hours", "90 min", 1.5),
        ("gigabytes", "50GB", 50.0),
        ("gigabytes", "1.5tb", 1500.0),
        ("flag", "sim", True),
        ("flag", "no", False),
        ("text", " llama2-7b ", "llama2-7b"),
    ],
)
async def test_each_kind_understands_what_people_type(kind: str, text: str, value: Any) -> None:
    assert await _value(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text", "english", "portuguese", "plain"),
    [
        ("hours", "1,5h", "write 1.5", 1.5, "write 1.5"),
        ("gigabytes", "0,5GB", "write 0.5", 0.5, "write 0.5"),
        ("usd_per_month", "$99,90", "write 99.9", 99.9, "write 99.9"),
        ("usd_per_month", "1.500", 1.5, 1500.0, 1.5),
        ("usd_per_month", "1,500", 1500.0, 1.5, "write 1500 or 1.5"),
        ("number", "12,50", "write 12.5", 12.5, "write 12.5"),
        ("percent", "2,5%", "write 2.5", 2.5, "write 2.5"),
        ("usd_per_month", "1.200,50", "write 1200.5", 1200.5, "write 1200.5"),
        ("gigabytes", "1,5TB", "write 1.5", 1500.0, "write 1.5"),
        ("int", "1.500", "give a whole number", 1500, "give a whole number"),
        ("days", "1,5 d", "write 1.5", "give a whole number", "write 1.5"),
        ("hours", "1,2,3", "such as 1,500 or 1.5", "such as 1.500 or 1,5", "such as 1500 or 1.5"),
        ("hours", "1_5", "such as 1,500 or 1.5", "such as 1.500 or 1,5", "such as 1500 or 1.5"),
        ("hours", "1.2.3 h", "such as 1,500 or 1.5", "such as 1.500 or 1,5", "such as 1500 or 1.5"),
        ("int", "1,000", 1000, "write 1 or 1000", "write 1000 or 1"),
        ("days", "1.000", "write 1 or 1000", 1000, "write 1 or 1000"),
        ("usd_per_month", "1e999", "USD a month", "USD a month", "USD a month"),
        ("usd_per_month", "1e-999", "USD a month", "USD a month", "USD a month"),
        ("usd_per_month", "€400", "is in EUR", "is in EUR", "is in EUR"),
        ("usd_per_month", "R$400", "is in BRL", "is in BRL", "is in BRL"),
        ("usd_per_month", "$500/h", "USD a month", "USD a month", "USD a month"),
        ("usd_per_hour", "$500 a month", "USD an hour", "USD an hour", "USD an hour"),
    ],
)
async def test_a_number_is_read_in_the_language_of_its_question(
    kind: str, text: str, english: float | str, portuguese: float | str, plain: float | str
) -> None:
    for written, wanted in ((ENGLISH, english), (PORTUGUESE, portuguese), (PLAIN, plain)):
        if isinstance(wanted, str):
            with pytest.raises(AskError, match=re.escape(wanted)):
                await _value(kind, text, written)
        else:
            assert await _value(kind, text, written) == wanted


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("7d", "7d"),
        ("7", "7d"),
        ("30 days", "30d"),
        ("1 day", "24h"),
        ("24 hours", "24h"),
        ("1 week", "7d"),
        ("720h", "30d"),
    ],
)
async def test_a_period_is_the_choice_that_is_as_long(text: str, choice: str) -> None:
    assert await _value("period", text, choices=("24h", "7d", "30d")) == choice


@pytest.mark.parametrize("text", ["24", "5d", "soon"])
async def test_a_period_that_is_not_offered_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(AskError) as caught:
        await _value("period", text, choices=("24h", "7d", "30d"))
    assert caught.value.suggestions == ("24h", "7d", "30d")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "1.5"),
        ("int", "many"),
        ("number", "nan"),
        ("number", "1,2,3"),
        ("number", "1.2.3"),
        ("number", "12,34,567"),
        ("number", "1e999"),
        ("usd_per_month", "€5"),
        ("hours", "3 parsecs"),
        ("gigabytes", "50 bananas"),
        ("flag", "maybe"),
        ("choice", "blue"),
        ("gpu", "RTX 9999 Turbo"),
    ],
)
async def test_what_does_not_fit_is_refused_with_what_to_do(kind: str, text: str) -> None:
    with pytest.raises(AskError) as caught:
        await _value(kind, text, choices=("red", "green"))
    assert str(caught.value)


async def test_an_ambiguous_gpu_asks_back() -> None:
    with pytest.raises(AskError, match="several models") as caught:
        await _value("gpu", "a100")
    assert {"A100 SXM4 80GB", "A100 PCIE 40GB"} <= set(caught.value.suggestions)


async def test_of_several_models_the_one_that_has_prices_is_taken_and_that_is_said() -> None:
    desk, command = FakeDesk(), _command(Param("p", "gpu", ""))
    desk.priced = ("A100 SXM4 80GB", "RTX 4090")
    assert await convert(command, {"p": "a100"}, desk) == {"p": "A100 SXM4 80GB"}  # type: ignore[arg-type]
    assert [str(note) for note in desk.remarks] == [
        "“a100” may mean several models; A100 SXM4 80GB is the one that has prices here"
    ]


async def test_of_several_models_those_that_have_prices_are_offered_first() -> None:
    desk = FakeDesk()
    desk.priced = ("A100 SXM4 80GB", "A100 PCIE 40GB")
    with pytest.raises(AskError, match="several models") as caught:
        await convert(_command(Param("p", "gpu", "")), {"p": "a100"}, desk)  # type: ignore[arg-type]
    assert set(caught.value.suggestions[:2]) == set(desk.priced)
    assert len(caught.value.suggestions) > 2
    assert caught.value.about == "p"


@pytest.mark.parametrize(
    ("text", "written", "value"),
    [
        ("7B", ENGLISH, "7B"),
        ("7,5B", PORTUGUESE, "7.5B"),
        ("1.5B", PLAIN, "1.5B"),
        ("8x7b", ENGLISH, "8x7b"),
        ("llama2-7b", PORTUGUESE, "llama2-7b"),
        ("7,5B", ENGLISH, None),
        ("lama2-7b", ENGLISH, None),
        ("4090", ENGLISH, None),
        ("٣", PLAIN, None),
    ],
)
async def test_a_language_model_is_a_name_or_a_size(text: str, written: NumberFormat, value: str | None) -> None:
    if value is None:
        with pytest.raises(AskError):
            await _value("llm", text, written)
    else:
        assert await _value("llm", text, written) == value


async def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(NotFound) as caught:
        await _value("gpu", "RTX 409O")
    assert "RTX 4090" in caught.value.suggestions


@pytest.mark.parametrize(
    ("kind", "text", "limits", "english", "portuguese"),
    [
        ("int", "0", (1, 8), "p must lie between 1 and 8", "p deve ficar entre 1 e 8"),
        ("int", "9", (1, 8), "p must lie between 1 and 8", "p deve ficar entre 1 e 8"),
        ("int", "0", (1, None), "p must be at least 1", "p deve ser no mínimo 1"),
        ("int", "9", (None, 8), "p must be at most 8", "p deve ser no máximo 8"),
        ("number", "0", (0.01, 1e12), "between 0.01 and 1,000,000,000,000", "entre 0,01 e 1.000.000.000.000"),
        ("gigabytes", "0", (1e-6, 1e6), "between 0.000001 GB and 1,000,000 GB", "0,000001 GB e 1.000.000 GB"),
        ("hours", "0", (0.01, 1e6), "between 0.01 h and 1,000,000 h", "entre 0,01 h e 1.000.000 h"),
        ("usd_per_month", "0", (0.01, 10_000_000), "between $0.01 and $10,000,000", "entre $0,01 e $10.000.000"),
        ("percent", "101", (0, 99.5), "between 0% and 99.5%", "entre 0% e 99,5%"),
    ],
)
async def test_limits_are_told_as_people_write_them(
    kind: str, text: str, limits: tuple[float | None, float | None], english: str, portuguese: str
) -> None:
    with pytest.raises(AskError) as caught:
        await _value(kind, text, minimum=limits[0], maximum=limits[1])
    assert english in Words("en", 0)(caught.value.note)
    assert portuguese in Words("pt-BR", 0)(caught.value.note)


async def test_a_missing_value_takes_its_default_or_is_asked_for() -> None:
    assert await convert(_command(Param("p", "int", "", default=3)), {}, FakeDesk()) == {"p": 3}  # type: ignore[arg-type]
    with pytest.raises(AskError, match="needs p"):
        await convert(_command(Param("p", "int", "", required=True)), {"p": " "}, FakeDesk())  # type: ignore[arg-type]


async def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AskError, match="no parameter “q”") as caught:
        await convert(_command(Param("p", "int", "")), {"q": "1"}, FakeDesk())  # type: ignore[arg-type]
    assert caught.value.suggestions == ("p",)


async def test_another_name_of_a_parameter_is_understood() -> None:
    command = _command(Param("p", "int", "", aliases=("q",)))
    assert await convert(command, {"q": "3"}, FakeDesk()) == {"p": 3}  # type: ignore[arg-type]
    with pytest.raises(AskError, match="p was given twice"):
        await convert(command, {"q": "3", "p": "4"}, FakeDesk())  # type: ignore[arg-type]


async def test_a_very_long_value_is_refused_unread() -> None:
    with pytest.raises(AskError, match="too long"):
        await _value("text", "x" * (MAX_TEXT + 1))


def test_typed_text_is_repeated_short_and_printable() -> None:
    assert shorten("a\x00b\u202ec" + "x" * 100) == "abc" + "x" * 36 + "…"


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=MAX_TEXT))
async def test_no_text_makes_any_kind_crash(kind: str, text: str) -> None:
    try:
        await _value(kind, text, choices=("red",))
    except AskError as error:
        assert len(str(error)) < 300  # noqa: PT017 - either outcome is fine, a crash is not


def test_every_parameter_is_of_a_known_kind() -> None:
    assert {param.kind for command in COMMANDS for param in command.params} <= set(KINDS)
