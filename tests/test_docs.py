"""The documents say what the program does: every command, setting and route has its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.commands import COMMANDS
from bot.config import Settings
from bot.dispatch.command import Command

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _code(command: Command) -> str:
    method = f"{command.method} " if command.acts else ""
    return f"`{method}{command.path}`" if command.path else "in chat only"


def command_table() -> str:
    """The README's table of questions, as it should be."""
    rows = [f"| `{c.name}` | {c.summary} | `{c.examples[0]}` | {_code(c)} |" for c in COMMANDS]
    return "\n".join(["| verb | answers | for example | HTTP |", "|---|---|---|---|", *rows])


def _between(mark: str) -> str:
    match = re.search(rf"<!-- {mark}:begin -->\n(.*?)\n?<!-- {mark}:end -->", README, re.DOTALL)
    assert match
    return match[1]


def test_the_table_of_questions_is_the_programs() -> None:
    assert _between("commands") == command_table()


def test_every_setting_is_in_the_readme_and_the_example_file() -> None:
    names = {str(f.validation_alias or name).upper() for name, f in Settings.model_fields.items()}
    table = set(re.findall(r"^\| `(\w+)` \|", _between("settings"), re.MULTILINE))
    example = set(re.findall(r"^# (\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert table == names
    assert example == names


def test_the_two_commands_come_first() -> None:
    assert 0 < README.index("make demo") < README.index("make test") < README.index("## Settings")


@pytest.mark.parametrize(
    "name",
    [
        "docs/demo.svg",
        "docs/webhooks.md",
        "docs/examples/webhook_receiver.py",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE",
    ],
)
def test_what_the_readme_links_to_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_every_picture_of_the_readme_is_there_and_told_in_words() -> None:
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", README)
    drawn = {f"docs/charts/{path.name}" for path in (ROOT / "docs" / "charts").iterdir()}
    assert drawn < {file for _, file in pictures}
    for alt, file in pictures:
        assert (ROOT / file).exists(), file
        assert len(alt) > 15, file


def test_the_procfile_and_the_manifest_name_real_things() -> None:
    procfile = (ROOT / "Procfile").read_text(encoding="utf-8")
    assert set(re.findall(r"^\w+: spotbot (\w+)$", procfile, re.MULTILINE)) == {"web", "worker", "slack", "discord"}
    manifest = (ROOT / "manifest.yml").read_text(encoding="utf-8")
    assert re.findall(r"- command: (\S+)", manifest) == ["/spot"]
    assert re.findall(r"^      - (\S+)$", manifest, re.MULTILINE) == [
        "commands",
        "chat:write",
        "files:write",
        "im:write",
        "pins:write",
        "users:read",
    ]


@pytest.mark.parametrize(
    ("file", "least"), [("constraints.txt", 60), ("constraints-test.txt", 20), ("benchmarks/schemathesis.txt", 20)]
)
def test_constraints_are_hashed_and_name_no_index(file: str, least: int) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert "://" not in text
    pinned = re.findall(r"^[A-Za-z0-9][\w.-]*==", text, re.MULTILINE)
    assert len(pinned) > least
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block.split("\n")[0])
