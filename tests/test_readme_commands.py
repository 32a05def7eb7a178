"""Every line that the README says to type is understood: by the program, by the dispatcher, by make, by Python."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import typer

from analytics.catalog import load_catalog, resolve
from bot.cli.main import cli
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.store.engine import open_store
from tests.fakes.stored import NAMES, NOW

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = [line for block in re.findall(r"```\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
INLINE = [
    text.replace("\n", " ") for text in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
]
TYPED = [re.sub(r"\s+#.*", "", line).strip() for line in (*FENCED, *INLINE)]
SPOTBOT = re.compile(r"(?:[A-Z_]+=\S+ )?(?:\.venv/bin/)?spotbot( .+)")
PLACES = re.compile(r"FILE(?:\.\.\.)?|NAME|SECONDS|<\w+>")


def program_lines() -> list[str]:
    """What is typed behind ``spotbot``."""
    return sorted({found[1].strip() for line in TYPED if (found := SPOTBOT.fullmatch(line))})


def chat_lines() -> list[str]:
    """What is typed in chat; of the table of questions, and of the alerts."""
    verbs = {command.name.split()[0] for command in COMMANDS}
    lines = {text.removeprefix("/spot ") for text in INLINE}
    return sorted(line for line in lines if line.split(" ")[0] in verbs and len(line.split(" ")) > 1)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words name, and what is left of them."""
    found: Any = typer.main.get_command(cli)
    while words and hasattr(found, "commands"):
        assert words[0] in found.commands, f"there is no command {words[0]}"
        found, words = found.commands[words[0]], words[1:]
    return found, words


@pytest.fixture(scope="module")
def understood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to stand where the README says FILE."""
    file = tmp_path_factory.mktemp("readme") / "prices.csv"
    file.write_text("ts_utc,gpu_name,region,price\n")
    return file


@pytest.fixture
async def dispatcher(market_file: Path) -> AsyncIterator[Dispatcher]:
    store = await open_store(f"sqlite:///{market_file}", writer=False)
    yield Dispatcher(store, COMMANDS, lambda: NOW + 60)
    await store.close()


def test_there_are_lines_to_try() -> None:
    assert len(program_lines()) > 15
    assert len(chat_lines()) > 20


@pytest.mark.parametrize("line", program_lines())
def test_the_program_takes_each_line(line: str, understood: Path) -> None:
    words = shlex.split(PLACES.sub(str(understood), line))
    if words == ["--version"]:
        assert "--version" in {name for option in typer.main.get_command(cli).params for name in option.opts}
        return
    command, rest = command_of(words)
    mentioned = len(words) == 1  # "spotbot ask" names the command, and is no line to type
    command.make_context(command.name, rest, resilient_parsing=mentioned)


@pytest.mark.parametrize("line", [line for line in program_lines() if line.startswith("ask ")])
async def test_each_question_of_the_program_is_answered(dispatcher: Dispatcher, line: str) -> None:
    question = " ".join(word for word in shlex.split(line)[1:] if not word.startswith("--"))
    assert (await dispatcher.ask_line(question))[1] is not None


@pytest.mark.parametrize("line", chat_lines())
async def test_each_line_of_chat_is_read(dispatcher: Dispatcher, line: str) -> None:
    command, _ = await dispatcher.read(line)
    assert command.name.split()[0] == line.split(" ")[0]


def test_each_forgiving_name_means_one_model() -> None:
    found = re.search(r"Names are forgiving \((.*?)\)", README, re.DOTALL)
    assert found
    names = re.findall(r"`([^`]+)`", found[1])
    assert len(names) >= 4
    for name in names:
        assert len(resolve(name, load_catalog(), NAMES)) == 1, name


def test_each_target_of_make_and_each_module_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {line.split()[1] for line in TYPED if re.fullmatch(r"make [a-z-]+", line)}
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    modules = {line.split()[2] for line in TYPED if line.startswith("python -m ")}
    assert modules
    for module in modules:
        assert importlib.util.find_spec(module), module


def test_each_address_of_curl_is_one_of_the_api() -> None:
    paths = {command.path for command in COMMANDS if command.path}
    addresses = re.findall(r"http://127\.0\.0\.1:8080(/api/[\w/-]+)", README)
    assert addresses
    assert set(addresses) <= paths
