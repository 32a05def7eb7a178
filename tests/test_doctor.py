"""The doctor says what is wrong, what is off and what that means, and makes nothing; questions make nothing either."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.app import serve
from bot.cli.doctor import doctor
from bot.cli.main import cli
from bot.config import BadSettings, Settings, load_settings
from bot.secret_box import new_key
from bot.sources import vast_client
from tests.fakes.postgres import Databases
from tests.fakes.slack import FakeSlack
from tests.fakes.vast import FakeVast, offer_row

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A market that is away is asked again at once."""
    monkeypatch.setattr(vast_client, "BACKOFF_S", (0.0,) * len(vast_client.BACKOFF_S))


def _settings(folder: Path, **more: object) -> Settings:
    given = {"database_url": str(folder / "new" / "spotbot.db"), "port": 0, "vast_url": NOWHERE}
    return load_settings(**{**given, **more}, _env_file=None)


async def _lines(settings: Settings, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    code = await doctor(settings)
    return code, capsys.readouterr().out.splitlines()


def _find(lines: list[str], text: str) -> str:
    (line,) = (line for line in lines if text in line)
    return line


async def test_what_is_not_configured_is_said_with_what_it_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeVast([offer_row(1)]) as market:
        code, lines = await _lines(_settings(tmp_path, vast_url=market.url), capsys)
    assert code == 0
    for variable, meaning in (
        ("SLACK_BOT_TOKEN", "Slack is off"),
        ("DISCORD_TOKEN", "Discord is off"),
        ("VAST_API_KEY", "without a key"),
        ("SPOTBOT_SECRET_KEY", "webhooks cannot be added"),
        ("SPOTBOT_HOME", "no latency"),
        ("spotbot.db", "`spotbot run`"),
    ):
        line = _find(lines, variable)
        assert line.startswith("off ")
        assert meaning in line


async def test_what_is_configured_is_not_said_to_be_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = _settings(tmp_path, vast_api_key="key", home="Berlin, DE", SPOTBOT_SECRET_KEY=new_key())
    settings = settings.model_copy(update={"home": "Berlin, DE"})
    _, lines = await _lines(settings, capsys)
    assert not any(name in line for line in lines if line.startswith("off") for name in ("VAST", "HOME", "SECRET_KEY"))


async def test_the_doctor_makes_no_file_and_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await _lines(_settings(tmp_path), capsys)
    assert not os.listdir(tmp_path)


async def test_the_doctor_makes_no_tables(postgres_url: str, postgres: Databases, tmp_path: Path, capsys) -> None:
    for _ in range(2):
        _, lines = await _lines(_settings(tmp_path, database_url=postgres_url), capsys)
        assert _find(lines, "Nothing is stored yet").startswith("off ")


async def test_a_place_where_no_database_can_be_made_is_to_be_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    code, lines = await _lines(_settings(tmp_path, database_url=str(tmp_path / "file" / "a.db")), capsys)
    assert code == 1
    assert _find(lines, "cannot be made").startswith("FIX ")


async def test_a_port_in_use_is_not_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with FakeVast([offer_row(1)]) as market:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            code, lines = await _lines(_settings(tmp_path, vast_url=market.url, port=port), capsys)
        assert code == 1
        assert _find(lines, f"PORT {port}").startswith("FIX ")
        assert "set PORT" in _find(lines, f"PORT {port}")
        code, lines = await _lines(_settings(tmp_path, vast_url=market.url, port=port), capsys)
        assert code == 0
        assert _find(lines, f"PORT {port}").startswith("ok ")


async def test_a_swapped_token_is_named_and_shown_to_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with FakeVast([offer_row(1)]) as market, FakeSlack() as slack:
        settings = _settings(
            tmp_path,
            vast_url=market.url,
            slack_api_url=f"{slack.url}/api/",
            slack_bot_token="xapp-canary",
            slack_app_token="xoxb-canary",
            vast_api_key="xoxb-canary",
        )
        code, lines = await _lines(settings, capsys)
        assert not slack.calls
        assert "canary" not in str(market.headers)
    assert code == 1
    assert "swapped with SLACK_APP_TOKEN" in _find(lines, "FIX  SLACK_BOT_TOKEN")
    assert "swapped with SLACK_BOT_TOKEN" in _find(lines, "FIX  SLACK_APP_TOKEN")
    assert "a bot token of Slack" in _find(lines, "FIX  VAST_API_KEY")
    assert "canary" not in "".join(lines)
    with pytest.raises(BadSettings, match="swapped with SLACK_APP_TOKEN"):
        await serve(settings, poll=True, web=False)
    assert not os.listdir(tmp_path)


@pytest.fixture
def spotbot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the program where no database is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", str(tmp_path / "new" / "spotbot.db"))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)

    return run


@pytest.mark.parametrize(
    "command",
    [
        ["ask", "monitor"],
        ["ask", "status"],
        ["status"],
        ["chart", "history 4090", "a.png"],
        ["backtest"],
        ["export", "a.csv"],
        ["backup", "copy.db"],
        ["keys", "revoke", "spot_abc"],
        ["keys", "reseal"],
    ],
)
def test_what_needs_something_stored_makes_no_database_and_says_what_to_run(
    spotbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("SPOTBOT_SECRET_KEY", new_key())
    result = spotbot(*command)
    assert result.exit_code == 3
    assert "Nothing is stored yet" in result.output
    assert "`spotbot run`" in result.output
    assert not os.listdir(tmp_path)


def test_a_program_that_asks_gets_a_problem_document(spotbot, tmp_path: Path) -> None:
    result = spotbot("ask", "monitor", "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (3, 409)
    assert not os.listdir(tmp_path)


def test_there_are_no_keys_where_nothing_is_stored(spotbot, tmp_path: Path) -> None:
    result = spotbot("keys", "list")
    assert (result.exit_code, result.output) == (0, "no keys yet: spotbot keys create NAME\n")
    assert not os.listdir(tmp_path)
