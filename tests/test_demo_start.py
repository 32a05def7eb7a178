"""How the demo begins, is found, and ends: ports, the word it leaves, and the program as it is started."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from typer.testing import CliRunner, Result

from bot.app import CannotListen
from bot.cli.demo_port import take_port
from bot.cli.main import cli
from bot.cli.program import program
from bot.cli.running_demo import announced
from bot.config import load_settings, state_folder

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, with nothing set up."""
    for name in ("DATABASE_URL", "PORT", "SPOTBOT_LOCALE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with take_port(load_settings(port=0), print) as other:
        yield other.getsockname()[1]


def test_a_taken_port_that_was_not_asked_for_gives_way_to_a_free_one(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    settings = load_settings().model_copy()
    monkeypatch.setattr(settings, "port", taken)
    settings.__pydantic_fields_set__.discard("port")
    with take_port(settings, said.append) as listener:
        assert said == [f"{taken} is taken; this demo is on {listener.getsockname()[1]}."]


def test_a_taken_port_that_was_asked_for_is_refused_with_what_to_do(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", str(taken))
    with pytest.raises(CannotListen, match=rf"Port {taken} is taken by another program\. .*--port 0"):
        take_port(load_settings(), print)
    result = CliRunner().invoke(cli, ["demo", "--days", "0"])
    assert result.exit_code == 2
    assert f"Port {taken} is taken" in result.output
    result = CliRunner().invoke(cli, ["demo", "--days", "0", "--port", "70000"])
    assert "PORT" in result.output  # what was typed goes before the environment


@pytest.mark.parametrize("place", ["path", "inside", "elsewhere", "module"])
def test_the_printed_program_is_one_that_runs(place: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = home / ("env" if place != "elsewhere" else "../an env") / "bin" / "spotbot"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(ROOT / "bot/__main__.py" if place == "module" else script)])
    monkeypatch.setattr(sys, "executable", str(script.parent / "python"))
    monkeypatch.setenv("PATH", str(script.parent) if place == "path" else "/nowhere")
    whole = str(script).replace("/env/", "/env/") if place != "elsewhere" else f"'{os.path.abspath(script)}'"
    assert program() == {"path": "spotbot", "elsewhere": whole}.get(place, "env/bin/spotbot")


def ask(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def test_a_question_finds_the_running_demo_where_nothing_is_set_up(home: Path, market_file: Path) -> None:
    database = shutil.copy(market_file, home / "demo.db")
    assert "Nothing is stored yet" in ask("ask", "monitor").output
    with announced(f"sqlite:///{database}") as found:
        assert found
        [file] = state_folder().iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert str(os.getpid()) in file.name
        answered = ask("ask", "monitor", "--json")
        assert answered.exit_code == 0
        assert "simulated" in answered.stderr
        assert "simulated" not in answered.stdout
        for words in (["status"], ["export", "out.csv"], ["chart", "history RTX 4090", "out.png"]):
            assert "From the running demo" in ask(*words).stderr
        assert (home / "out.csv").exists()
    assert list(state_folder().iterdir()) == []
    assert "Nothing is stored yet" in ask("ask", "monitor").output


def test_what_is_set_up_goes_before_the_running_demo(
    home: Path, market_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with announced(f"sqlite:///{market_file}"):
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{home / 'mine.db'}")
        assert "Nothing is stored yet" in ask("ask", "monitor").output
        assert "running demo" not in ask("ask", "monitor").stderr
        monkeypatch.delenv("DATABASE_URL")
        made = ask("keys", "create", "me")  # what writes makes its own
        assert made.exit_code == 0
        assert "running demo" not in made.stderr + ask("ask", "status").stderr


def test_the_word_of_a_dead_demo_is_ignored_and_swept(home: Path, market_file: Path) -> None:
    folder = state_folder()
    folder.mkdir(parents=True)
    dead = folder / f"demo-{os.getppid()}.json"  # its number lives, it does not
    dead.write_text(f'{{"pid": {os.getppid()}, "database_url": "sqlite:///{market_file}"}}')
    assert "Nothing is stored yet" in ask("ask", "monitor").output
    with announced("sqlite:///other.db"):
        assert not dead.exists()


@contextmanager
def held(path: Path, url: str) -> Iterator[None]:
    """A word as a running demo leaves it, wherever it lies."""
    path.write_text(json.dumps({"began": 1.5, "database_url": url}))
    path.chmod(0o600)
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("trick", ["link", "writable", "open folder", "linked folder", "pipe", "deep", "none"])
def test_a_word_that_another_could_have_put_there_is_not_trusted(trick: str, home: Path, market_file: Path) -> None:
    folder, word = state_folder(), state_folder() / "demo-1.json"
    folder.mkdir(parents=True)
    with held(home / "elsewhere.json" if trick == "link" else word, f"sqlite:///{market_file}"):
        if trick == "link":
            word.symlink_to(home / "elsewhere.json")
        elif trick == "pipe":
            word.unlink()
            os.mkfifo(word, 0o600)
        elif trick == "deep":
            word.write_text("[" * 60_000)
        elif trick == "writable":
            word.chmod(0o666)
        elif trick == "open folder":
            folder.chmod(0o777)
        elif trick == "linked folder":
            folder.rename(home / "moved")
            os.lchown(make_link(folder, home / "moved"), 12345, 12345)
        asked = ask("ask", "status")
    assert ("From the running demo" in asked.stderr) == (trick == "none"), asked.output
    if trick.endswith("folder"):
        with announced("sqlite:///mine.db") as found:  # nor is a word left where it would not be trusted
            assert not found


def test_the_demo_that_began_last_is_asked_and_one_that_is_not_all_there_says_so(home: Path, market_file: Path) -> None:
    filling = "Its older days are still being filled in."
    state_folder().mkdir(parents=True)
    with (
        held(state_folder() / "demo-1.json", f"sqlite:///{home / 'none.db'}"),
        announced(f"sqlite:///{market_file}", filling=True) as word,
    ):
        assert word
        asked = ask("ask", "status")
        assert (asked.exit_code, filling in asked.stderr) == (0, True)
        word.all_in()
        asked = ask("ask", "status")
        assert (asked.exit_code, "everything is simulated.\n" in asked.stderr) == (0, True)


def make_link(link: Path, target: Path) -> Path:
    """A symbolic link."""
    link.symlink_to(target)
    return link


def test_a_demo_plays_also_where_its_word_cannot_be_left() -> None:
    (state_folder() / f"demo-{os.getpid()}.json" / "in the way").mkdir(parents=True)
    with announced("sqlite:///mine.db") as found:
        assert not found
    assert [path.suffix for path in state_folder().iterdir()] == [".json"]


def test_the_folder_of_a_demo_that_was_killed_is_swept_and_no_other(home: Path) -> None:
    folder = state_folder()
    folder.mkdir(parents=True)
    databases = [home / name / "demo.db" for name in ("spotbot-demo-a b", "spotbot-demo-live", "mine")]
    for number, database in enumerate(databases):
        database.parent.mkdir()
        database.touch()
        if number != 1:
            (folder / f"demo-{number}.json").write_text(
                json.dumps({"began": 1.5, "database_url": f"sqlite:///{quote(str(database))}"})
            )
    with held(folder / "demo-1.json", f"sqlite:///{databases[1]}"), announced("sqlite:///other.db"):
        assert [database.exists() for database in databases] == [False, True, True]
        assert {path.name for path in folder.iterdir()} == {"demo-1.json", f"demo-{os.getpid()}.json"}


async def _lines_until(stream: asyncio.StreamReader, wanted: str) -> list[str]:
    lines: list[str] = []
    while not lines or wanted not in lines[-1]:
        line = await stream.readline()
        assert line, lines
        lines.append(line.decode())
    return lines


async def test_without_a_terminal_it_serves_plainly_and_is_found_and_leaves_nothing_behind(home: Path) -> None:
    env = {**os.environ, "TMPDIR": str(home / "tmp"), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    (home / "tmp").mkdir()
    command = (sys.executable, "-m", "bot", "demo", "--days", "60", "--port", "0")
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*command, env=env, stdin=pipe, stdout=pipe, stderr=pipe)
    assert running.stdout is not None
    lines = await _lines_until(running.stdout, "being filled in")
    said = "".join(lines)
    assert re.match(r"The last 26 hours of 20 models in \d+ s\.\n", said)
    assert "Stop with Ctrl-C." in said
    assert "\x1b" not in said
    header, value, address = re.findall(r'curl -H "(Authorization): (Bearer \S+)" (\S+)', said)[0]
    async with httpx.AsyncClient() as client:
        assert (await client.get(address, headers={header: value})).status_code == 200
    found = await asyncio.to_thread(ask, "ask", "predict", "RTX 4090", "--json")
    assert (found.exit_code, "still being filled in" in found.stderr) == (0, True)
    running.send_signal(signal.SIGTERM)
    out, err = await running.communicate()
    assert (running.returncode, out, err) == (0, b"", b"")
    assert list((home / "tmp").iterdir()) == list(state_folder().iterdir()) == []
