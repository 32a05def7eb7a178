"""The command line itself: what it takes, what it refuses, and what it exits with."""

from __future__ import annotations

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
