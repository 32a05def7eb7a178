"""Values of the environment as files, pages and clipboards leave them: blanks around, blanks inside, nothing at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot import credentials
from bot.cli.main import cli
from bot.config import SECRETS, BadSettings, Settings, load_settings
from bot.secret_box import new_key

VARIABLES = {name: str(field.validation_alias or name).upper() for name, field in Settings.model_fields.items()}
CANARY = "canary-in-the-secret"


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("around", ["{}\n", " {}\t", "\r\n{}\r\n", "\ufeff{}\u200b", "\xa0{}"])
def test_what_is_around_a_secret_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch, name: str, around: str) -> None:
    secret = new_key() if name == "secret_key" else CANARY
    monkeypatch.setenv(VARIABLES[name], around.format(secret))
    assert getattr(load_settings(), name).get_secret_value() == secret


@pytest.mark.parametrize("name", [name for name in SECRETS if name != "secret_key"])
@pytest.mark.parametrize(
    ("inside", "says"),
    [
        ("{}\n{}", "has a line break inside"),
        ("{} {}", "has a blank inside"),
        ("{}\t{}", "has a blank inside"),
        ("{}\xa0{}", "has a blank inside"),
        ("{}\x07{}", "has a control character inside"),
        ("{}\u200b{}", "has a character inside that no secret has"),
        ("{}é{}", "has a character inside that no secret has"),
        ('"{}{}"', "is in quotes"),
    ],
)
def test_what_is_inside_a_secret_and_cannot_be_is_named_and_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, inside: str, says: str
) -> None:
    monkeypatch.setenv(VARIABLES[name], inside.format(CANARY, CANARY))
    with pytest.raises(BadSettings, match=f"^{VARIABLES[name]}: {says}") as refused:
        load_settings()
    assert "canary" not in str(refused.value)
    for command, code in (("doctor", 1), ("migrate", 2)):
        result = CliRunner().invoke(cli, [command])
        assert result.exit_code == code
        assert re.search(f"{VARIABLES[name]}: {says}", result.output)
        assert "canary" not in result.output


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("blank", ["", "  ", "\n", "\ufeff"])
def test_a_blank_variable_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str, blank: str) -> None:
    unset = load_settings()
    monkeypatch.setenv(VARIABLES[name], blank)
    assert getattr(load_settings(), name) == getattr(unset, name)


def test_blanks_around_what_is_no_secret_go_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLACK_API_URL", " https://example.com/api/\n")
    monkeypatch.setenv("PORT", "9000\n")
    monkeypatch.setenv("DATABASE_URL", f"{tmp_path}/a.db\n")
    settings = load_settings()
    assert (settings.slack_api_url, settings.port) == ("https://example.com/api", 9000)
    assert settings.database_url == f"{tmp_path}/a.db"


def test_a_control_character_in_the_databases_url_is_refused_without_its_password() -> None:
    with pytest.raises(BadSettings, match="DATABASE_URL: has a line break") as refused:
        load_settings(database_url="postgresql://u:canary\n@h/d")
    assert "canary" not in str(refused.value)


def test_an_env_file_may_begin_with_a_mark_of_its_encoding(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("\ufeffPORT=9000\nSLACK_BOT_TOKEN=xoxb-1 \n".encode())
    settings = load_settings()
    assert settings.port == 9000
    (tmp_path / ".env").write_bytes("PORT=9000\nSPOTBOT_HOME=São".encode("latin-1"))
    with pytest.raises(BadSettings, match=r"\.env: is not text in UTF-8"):
        load_settings()


DISCORD = "MTAxMjM0NTY3ODkwMTIzNDU2Nw.GabcdE." + "x" * 38
HEX32, HEX64 = "0123456789abcdef" * 2, "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("secrets", "says"),
    [
        (
            {"SLACK_BOT_TOKEN": "xapp-1-A", "SLACK_APP_TOKEN": "xoxb-1"},
            {"SLACK_BOT_TOKEN": "swapped with SLACK_APP_TOKEN", "SLACK_APP_TOKEN": "swapped with SLACK_BOT_TOKEN"},
        ),
        ({"SLACK_APP_TOKEN": "xoxb-1"}, {"SLACK_APP_TOKEN": "a bot token of Slack.*belongs in SLACK_BOT_TOKEN"}),
        (
            {"SLACK_BOT_TOKEN": HEX32, "SLACK_SIGNING_SECRET": "xoxb-1"},
            {"SLACK_BOT_TOKEN": "signing secret", "SLACK_SIGNING_SECRET": "swapped with SLACK_BOT_TOKEN"},
        ),
        (
            {"SLACK_BOT_TOKEN": DISCORD, "DISCORD_TOKEN": "xoxb-1"},
            {"SLACK_BOT_TOKEN": "swapped with DISCORD_TOKEN", "DISCORD_TOKEN": "swapped with SLACK_BOT_TOKEN"},
        ),
        ({"SLACK_BOT_TOKEN": "xoxp-1"}, {"SLACK_BOT_TOKEN": "a user token of Slack"}),
        (
            {"SLACK_CLIENT_ID": HEX32, "SLACK_CLIENT_SECRET": "1234567890.1234567890"},
            {"SLACK_CLIENT_ID": "swapped with SLACK_CLIENT_SECRET", "SLACK_CLIENT_SECRET": "a client id"},
        ),
        ({"VAST_API_KEY": "xoxb-1"}, {"VAST_API_KEY": "a bot token of Slack"}),
        ({"DISCORD_TOKEN": HEX64}, {"DISCORD_TOKEN": "belongs in VAST_API_KEY"}),
        (
            {
                "SLACK_BOT_TOKEN": "xoxb-1",
                "SLACK_APP_TOKEN": "xapp-1",
                "SLACK_SIGNING_SECRET": HEX32,
                "SLACK_CLIENT_ID": "1234567890.1234567890",
                "SLACK_CLIENT_SECRET": HEX32,
                "DISCORD_TOKEN": DISCORD,
                "VAST_API_KEY": HEX64,
                "SPOTBOT_SECRET_KEY": new_key(),
            },
            {},
        ),
        ({"VAST_API_KEY": HEX32, "SLACK_BOT_TOKEN": "anything", "DISCORD_TOKEN": "token"}, {}),
    ],
)
def test_what_belongs_elsewhere_is_recognised(secrets: dict[str, str], says: dict[str, str]) -> None:
    found = credentials.misplaced(secrets)
    assert found.keys() == says.keys()
    for variable, pattern in says.items():
        assert re.search(pattern, found[variable])
        assert not any(secret in found[variable] for secret in secrets.values())


def test_a_token_in_the_place_of_the_secret_key_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOTBOT_SECRET_KEY", "xoxb-canary")
    with pytest.raises(
        BadSettings, match=r"is not a key but a bot token of Slack.*SLACK_BOT_TOKEN.*keys secret"
    ) as bad:
        load_settings()
    assert "canary" not in str(bad.value)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ask", "previsão", "--json"], 2),
        (["ask", "help", "--lang", "pt-BR"], 0),
        (["ask", "status"], 0),
        (["keys", "create", "parceria são → ok"], 0),
    ],
)
def test_what_standard_output_cannot_encode_is_replaced(
    sqlite_tables: str, encoding: str, arguments: list[str], code: int
) -> None:
    told = {"PYTHONIOENCODING": encoding, "DATABASE_URL": sqlite_tables, "PYTHONUTF8": "0"}
    environment = {**os.environ, **told, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-m", "bot", *arguments], env=environment, capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (code, False)
    done.stdout.decode(encoding)
