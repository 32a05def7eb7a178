"""``spotbot settings``: what holds of the environment, from where, without a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.main import cli
from bot.config import Settings, variable


def test_each_variable_is_shown_with_its_source_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    (tmp_path / ".env").write_text("PORT=9000\nSPOTBOT_HOME=Berlin, DE\nSLACK_BOT_TOKEN=xoxb-canary\n")
    monkeypatch.setenv("SPOTBOT_HOME", "Paris, FR")
    monkeypatch.setenv("SPOTBOT_ROW_BUDGET", "  ")
    monkeypatch.setenv("DISCORD_TOKEN", "canary")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:can@ary@h/d?sslpassword=canary&sslmode=require")
    result = CliRunner().invoke(cli, ["settings"])
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in result.output.splitlines()}
    assert rows.keys() == {variable(name) for name in Settings.model_fields}
    said = {name: (row.rpartition("  ")[0].strip(), row.split()[-1]) for name, row in rows.items()}
    assert said["PORT"] == ("9000", ".env")
    assert said["SPOTBOT_HOME"] == ("Paris, FR", "environment")
    assert said["SPOTBOT_ROW_BUDGET"] == ("20000", "default")
    assert said["SPOTBOT_LOCALE"] == ("en", "default")
    assert said["SLACK_BOT_TOKEN"] == ("set", ".env")
    assert said["DISCORD_TOKEN"] == ("set", "environment")
    assert said["SLACK_APP_TOKEN"] == ("not set", "default")
    assert said["DATABASE_URL"][0] == "postgresql+asyncpg://u:***@h/d?sslpassword=***&sslmode=require"
    assert "ary" not in result.output
