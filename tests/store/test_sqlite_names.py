"""The file that DATABASE_URL names is the file that is written, with its lock and its backup, whatever its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli.main import cli
from bot.config import database_url as completed
from bot.store.engine import StoreError, open_store

NAMES = ("a?b.db", "a#b.db", "a%20b.db", "100%.db", "a b.db", "a?timeout=3", "a&b=c.db", "é.db", "a?b=c?d.db")


def _spotbot(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".env"}


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_path_is_the_files_name_to_the_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", name)
    assert _spotbot("migrate").exit_code == 0
    assert _names(tmp_path) == {name, f"{name}.lock"}
    monkeypatch.setenv("DATABASE_URL", str(tmp_path / name))
    assert _spotbot("keys", "create", "partner").exit_code == 0
    assert _spotbot("backup", f"copy of {name}").exit_code == 0
    assert _names(tmp_path) == {name, f"{name}.lock", f"copy of {name}"}
    monkeypatch.setenv("DATABASE_URL", f"copy of {name}")
    assert "partner" in _spotbot("keys", "list").output


@pytest.mark.parametrize(
    ("written", "name"),
    [("a?b.db", "a?b.db"), ("a#b.db", "a#b.db"), ("a%20b%3F.db", "a b?.db"), ("a.db?timeout=2.5", "a.db")],
)
async def test_a_url_names_one_file_too(tmp_path: Path, written: str, name: str) -> None:
    for scheme in ("sqlite", "sqlite+aiosqlite"):
        store = await open_store(completed(f"{scheme}:///{tmp_path}/{written}"), writer=True)
        assert store.where == str(tmp_path / name)
        await store.close()
        assert _names(tmp_path) == {name, f"{name}.lock"}


@pytest.mark.parametrize("query", ["mode=ro", "timeout=soon", "timeout=1&cache=shared"])
async def test_parameters_that_sqlite_has_not_are_named(tmp_path: Path, query: str) -> None:
    with pytest.raises(StoreError, match=f"only timeout=SECONDS .*“{query}”"):
        await open_store(f"sqlite:///{tmp_path}/a.db?{query}", writer=True)
    assert not _names(tmp_path)


def test_a_home_of_nobody_is_a_folders_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "~nobody at all/a.db")
    assert _spotbot("migrate").exit_code == 0
    assert (tmp_path / "~nobody at all" / "a.db").exists()
