"""What is there to deploy with names real commands, settings and files, and runs as nobody in particular."""

from __future__ import annotations

import configparser
import re
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from bot.cli.main import cli
from bot.config import Settings, load_settings, variable

ROOT = Path(__file__).resolve().parents[1]
VERBS = set(typer.main.get_command(cli).commands)  # type: ignore[attr-defined]
SETTINGS = {variable(name) for name in Settings.model_fields}
OF_OTHERS = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "MPLCONFIGDIR"}
"""Variables of Python, matplotlib and the shell."""


def _instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in whole.splitlines())]


def _all(instruction: str) -> list[str]:
    return [rest for name, rest in _instructions() if name == instruction]


def _variables(assignments: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", assignments))


def _last_stage() -> list[tuple[str, str]]:
    found = _instructions()
    begins = max(n for n, (name, _) in enumerate(found) if name == "FROM")
    return found[begins:]


def test_the_image_runs_a_real_command_as_an_unprivileged_user() -> None:
    stage = dict(_last_stage())
    assert yaml.safe_load(stage["ENTRYPOINT"]) == ["spotbot"]
    (verb,) = yaml.safe_load(stage["CMD"])
    assert verb in VERBS
    user, _, group = stage["USER"].partition(":")
    assert int(user) > 1000
    assert int(group) > 1000
    assert f"--uid {user}" in stage["RUN"]


def test_the_image_sets_only_variables_that_something_reads_and_keeps_its_file_in_the_volume() -> None:
    (given,) = [_variables(rest) for name, rest in _last_stage() if name == "ENV"]
    assert set(given) <= SETTINGS | OF_OTHERS
    assert given["SPOTBOT_HOST"] == "0.0.0.0"
    settings = load_settings(database_url=given["DATABASE_URL"], port=given["PORT"], _env_file=None)
    assert settings.database_url.endswith(f"//{_all('VOLUME')[0]}/spotbot.db")
    assert _all("EXPOSE") == [given["PORT"]]


def test_the_image_installs_what_is_pinned_and_nothing_else() -> None:
    installs = [line for line in _all("RUN") if "pip install" in line]
    assert len(installs) == 2
    assert all("--no-deps" in line for line in installs)
    assert "--require-hashes -r constraints.txt" in installs[0]
    assert installs[1].endswith("--no-build-isolation .")


def _in_context(path: str) -> bool:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = True
    for rule in (line for line in rules if line and not line.startswith("#")):
        pattern = rule.removeprefix("!")
        if fnmatch(path, pattern) or path.startswith(f"{pattern}/") or fnmatch(path, pattern.replace("**/", "*/")):
            kept = rule.startswith("!")
    return kept


def test_what_the_image_takes_is_there_and_not_ignored() -> None:
    taken = [rest.split() for rest in _all("COPY") if not rest.startswith("--from")]
    sources = [source for words in taken for source in words[:-1]]
    assert "deploy/healthcheck.py" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert _in_context(source), source
    for secret in (".env", "bot/.env", ".git", "spotbot.db", "bot/__pycache__", "tests"):
        assert not _in_context(secret), secret
    (check,) = _all("HEALTHCHECK")
    assert yaml.safe_load(check.partition("CMD ")[2]) == ["python", "/opt/spotbot/healthcheck.py"]
    assert any(words == ["deploy/healthcheck.py", "/opt/spotbot/healthcheck.py"] for words in taken)


def test_the_package_holds_what_its_build_reads() -> None:
    """What pyproject.toml names has to be in the image's build too."""
    taken = {source for rest in _all("COPY") for source in rest.split()[:-1]}
    assert {"pyproject.toml", "README.md", "LICENSE", "analytics", "bot", "constraints.txt"} <= taken


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """compose.yaml, with its anchors resolved."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def _ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in compose["services"].items() if service["image"] == "spotbot"}


def test_compose_runs_real_commands_with_real_settings(compose: dict[str, Any]) -> None:
    services = _ours(compose)
    assert {"web", "worker"} <= set(services)
    for name, service in services.items():
        assert service["command"] == [name]
        assert name in VERBS
        assert set(service["environment"]) <= SETTINGS
        assert service["depends_on"] == {"db": {"condition": "service_healthy"}}
        assert service["read_only"] is True
    address = services["web"]["environment"]["DATABASE_URL"]
    filled = re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", "secret", address)
    assert "$" not in filled
    assert load_settings(database_url=filled, _env_file=None).database_url.endswith("//spotbot:secret@db/spotbot")


def test_compose_publishes_only_the_pages_and_only_here(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert list(published) == ["web"]
    (port,) = published["web"]
    assert port.startswith("127.0.0.1:")
    assert port.endswith(f":{compose['services']['web']['environment']['PORT']}")


def test_compose_keeps_the_database_and_no_secret(compose: dict[str, Any]) -> None:
    database = compose["services"]["db"]
    assert database["image"].startswith("postgres:17")
    assert "pg_isready" in database["healthcheck"]["test"]
    assert database["volumes"][0].partition(":")[0] in compose["volumes"]
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    assert asked <= SETTINGS | {"POSTGRES_PASSWORD"}
    assert database["environment"]["POSTGRES_PASSWORD"].startswith("${")


def test_only_what_serves_is_asked_for_its_health(compose: dict[str, Any]) -> None:
    off = {name for name, one in _ours(compose).items() if one.get("healthcheck") == {"disable": True}}
    assert off == set(_ours(compose)) - {"web"}


class _Unit(configparser.RawConfigParser):
    """A unit of systemd: names in their own spelling, the later of two."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def test_the_unit_runs_a_real_command_in_its_own_folder() -> None:
    unit = _Unit(strict=False, delimiters=("=",), comment_prefixes=("#",))
    unit.read(ROOT / "deploy" / "spotbot.service", encoding="utf-8")
    service = dict(unit["Service"])
    assert service["ExecStart"].split()[-1] in VERBS
    given = _variables(service["Environment"])
    assert set(given) <= SETTINGS | OF_OTHERS
    assert f"/var/lib/{service['StateDirectory']}/" in given["DATABASE_URL"]
    expected = {"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "Restart": "on-failure"}
    assert {name: service[name] for name in expected} == expected
    assert service["CapabilityBoundingSet"] == ""


def test_what_is_compiled_after_installing_is_there() -> None:
    """The list of late imports names what functions import: one that a change takes away would end `make demo`."""
    text = (ROOT / "deploy" / "compile_used.py").read_text(encoding="utf-8")
    late = yaml.safe_load(re.sub(r"^.*?LATE = \((.*?)\n\).*$", r"[\1]", text, flags=re.DOTALL))
    assert len(late) > 10
    assert [name for name in late if find_spec(name) is None] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "$(BIN)/python -W ignore deploy/compile_used.py" in makefile
