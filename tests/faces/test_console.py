"""The console face: what goes to which stream, and tables on narrow terminals."""

import io
import json

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from rich.console import Console

from bot.dispatch.offers import KEPT_SECONDS
from bot.faces.console.completer import LineCompleter
from bot.faces.console.face import answer

PRICE_OF_4090 = "/api/spot/price/RTX%204090"


async def _ask(house, line: str, capsys: pytest.CaptureFixture[str], language: str = "en") -> tuple[int, str, str]:
    """Exit code, standard output and sentences of ``ask --json``."""
    capsys.readouterr()
    err = io.StringIO()
    code = await answer(
        house.dispatcher, line, language=language, as_json=True, out=Console(), err=Console(file=err, width=200)
    )
    return code, capsys.readouterr().out, err.getvalue()


@pytest.mark.parametrize(
    ("line", "path", "code"),
    [
        ("trouble bad", "/api/spot/trouble?what=bad", 2),
        ("trouble unknown", "/api/spot/trouble?what=unknown", 2),
        ("trouble down", "/api/spot/trouble?what=down", 4),
        ("trouble refused", "/api/spot/trouble?what=refused", 5),
        ("trouble what=nothing", "/api/spot/trouble?what=nothing", 2),
        ("price 4090", PRICE_OF_4090, 3),
        ("price 4090 hours=0", f"{PRICE_OF_4090}?hours=0", 2),
    ],
)
async def test_json_prints_the_very_problem_that_http_answers(house, capsys, line, path, code):
    async with house.client() as web:
        told = await web.get(path)
    exit_code, out, err = await _ask(house, line, capsys, "pt-BR")
    assert (exit_code, out) == (code, told.text)
    assert told.status_code == json.loads(out)["status"]
    assert err.strip()


async def test_json_prints_the_very_answer_of_http_too(house, capsys):
    await house.polled()
    async with house.client() as web:
        told = await web.get(PRICE_OF_4090)
    assert await _ask(house, "price 4090", capsys) == (0, told.text, "")


async def test_models_that_appeared_since_are_offered_at_the_prompt(house) -> None:
    completer, document = LineCompleter(house.dispatcher), Document("price ")

    async def offered() -> list[str]:
        return [shown.text async for shown in completer.get_completions_async(document, CompleteEvent())]

    assert "L40S" not in await offered()
    await house.polled(model="L40S")
    house.clock.now += KEPT_SECONDS
    assert (await offered())[0] == "L40S"
