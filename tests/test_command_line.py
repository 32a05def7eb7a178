"""The command line itself: what it takes, what it refuses, and what it exits with."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli.main import cli


@pytest.fixture
def spotbot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the program on an empty database; its output and exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'spotbot.db'}")
    monkeypatch.delenv("SPOTBOT_LOCALE", raising=False)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)

    assert run("migrate").exit_code == 0
    return run


@pytest.mark.parametrize("command", [["ask", "status"], ["status"], ["chat"]])
def test_a_language_that_is_not_on_offer_is_refused(spotbot, command: list[str]) -> None:
    result = spotbot(*command, "--lang", "fr")
    assert result.exit_code == 2
    assert "fr" in result.output
    assert "en or pt-BR" in result.output


@pytest.mark.parametrize("tag", ["pt-BR", "pt", "pt_BR.UTF-8", "PT-br"])
def test_a_language_on_offer_may_be_spelt_as_a_locale(spotbot, tag: str) -> None:
    result = spotbot("ask", "status", "--lang", tag)
    assert result.exit_code == 0
    assert "0 modelo acompanhado" in result.output


def test_the_locale_of_the_environment_is_held_to_the_same(spotbot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOTBOT_LOCALE", "fr")
    result = spotbot("ask", "status")
    assert result.exit_code == 2
    assert "SPOTBOT_LOCALE" in result.output
    assert "en or pt-BR" in result.output
    monkeypatch.setenv("SPOTBOT_LOCALE", "pt")
    assert "0 modelo acompanhado" in spotbot("ask", "status").output
    monkeypatch.setenv("SPOTBOT_LOCALE", "")
    assert "models followed" in spotbot("ask", "status").output


@pytest.mark.parametrize(
    ("owner", "listed"),
    [
        ("slack:T123:C456", "slack:T123:C456"),
        ("slack:E9:T123:G456", "slack:T123:G456"),
        ("discord:123456:789", "discord:123456:789"),
    ],
)
def test_a_key_for_alerts_has_an_owner(spotbot, owner: str, listed: str) -> None:
    made = spotbot("keys", "create", "partner", "--scope", "read", "--scope", "alerts", "--owner", owner)
    assert made.exit_code == 0, made.output
    assert f"read alerts for {listed}" in spotbot("keys", "list").output


@pytest.mark.parametrize(
    "options",
    [
        ["--scope", "alerts"],
        ["--owner", "slack:T123:C456"],
        *(
            ["--scope", "alerts", "--owner", owner]
            for owner in (
                "slack:T123",
                "slack:T123:D456",
                "slack:T1:C1:C1",
                "teams:T1:C1",
                "discord:T1:C1",
                "",
                "slack:T1:C1\n",
            )
        ),
    ],
)
def test_a_key_for_alerts_without_an_owner_is_refused_with_what_to_write(spotbot, options: list[str]) -> None:
    refused = spotbot("keys", "create", "partner", *options)
    assert refused.exit_code == 2
    assert "--owner slack:T0123ABC:C0456DEF or --owner discord:GUILD:CHANNEL" in refused.output
    assert "no keys yet" in spotbot("keys", "list").output


def test_a_scope_that_is_none_is_refused(spotbot) -> None:
    refused = spotbot("keys", "create", "partner", "--scope", "everything")
    assert refused.exit_code == 2
    assert "choose of read, alerts" in refused.output


def test_the_version_is_told_installed_or_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = f"spotbot {project['version']}\n"

    def not_installed(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    for _ in ("installed", "not installed"):
        result = CliRunner().invoke(cli, ["--version"])
        assert (result.exit_code, result.output) == (0, told)
        monkeypatch.setattr(importlib.metadata, "version", not_installed)
    monkeypatch.setattr("bot.version.PROJECT", tmp_path / "pyproject.toml")
    assert CliRunner().invoke(cli, ["--version"]).output == "spotbot unknown\n"
