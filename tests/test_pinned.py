"""The pinned lists name all that the project needs, though nobody resolves them at installation."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def _pinned(file: str) -> dict[str, str]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return {name: version for name, version, marker in re.findall(r"^([\w.-]+)==([^ ]+)(.*)$", text, re.MULTILINE)}


def _unused() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    (names,) = re.findall(r"^UNUSED := (.+)$", makefile, re.MULTILINE)
    return set(names.split())


def _project(*extras: str) -> list[str]:
    """The requirements with these extras, those that they name in turn among them."""
    found = list(PROJECT["dependencies"])
    for extra in extras:
        for line in EXTRAS[extra]:
            wanted = Requirement(line)
            found += _project(*wanted.extras) if wanted.name == PROJECT["name"] else [line]
    return found


def _needed_by(line: str) -> Iterator[Requirement]:
    wanted = Requirement(line)
    try:
        lines = importlib.metadata.requires(wanted.name) or ()
    except importlib.metadata.PackageNotFoundError:
        return
    for found in map(Requirement, lines):
        extras = ("", *wanted.extras)
        if found.marker is None or any(found.marker.evaluate({"extra": extra}) for extra in extras):
            yield found


def _closure(lines: list[str], without: set[str]) -> set[str]:
    """The names of all that these requirements bring on this machine."""
    seen: set[str] = set()
    todo = list(lines)
    while todo:
        line = todo.pop()
        if line in seen or canonicalize_name(Requirement(line).name) in without:
            continue
        seen.add(line)
        todo += map(str, _needed_by(line))
    return {canonicalize_name(Requirement(line).name) for line in seen}


def test_what_the_program_needs_is_pinned_for_it_and_the_rest_for_tests() -> None:
    runs, tests = set(_pinned("constraints.txt")), set(_pinned("constraints-test.txt"))
    build = {"setuptools", "wheel"}
    assert _closure(_project("full"), _unused()) <= runs
    assert not _closure(_project("full", "test", "bench"), _unused()) - runs - tests
    assert not runs & tests
    assert not (runs | tests) & _unused()
    assert build <= runs
    assert not {"pytest", "sktime", "mypy"} & runs


def test_what_is_installed_here_is_what_is_pinned() -> None:
    pinned = {**_pinned("constraints.txt"), **_pinned("constraints-test.txt")}
    needed = _closure(_project("full", "test"), _unused())
    several = {"numpy", "scipy", "contourpy"}  # a version for each Python
    assert not {
        name: (importlib.metadata.version(name), pinned[name])
        for name in needed - several
        if importlib.metadata.version(name) != pinned[name]
    }


def test_the_extras_are_those_that_the_program_knows() -> None:
    from bot.extras import EXTRAS as KNOWN

    assert {extra.name for extra in KNOWN} | {"full", "sktime", "test", "bench"} == set(EXTRAS)
    full = {canonicalize_name(Requirement(line).name) for line in _project("full")}
    assert {canonicalize_name(name) for extra in KNOWN for name in extra.packages.split(", ")} <= full
