"""No number without a source: every numeric constant in analytics/ has a name and, below it, where it comes from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import analytics

FILES = sorted(Path(analytics.__file__).parent.rglob("*.py"))

PLAIN = {0, 1, 2, -1, 100, 0.5}
"""Counting, halving, percent: these say nothing about the world."""

UNITS = {"HOUR", "DAY", "WEEK", "DAY_HOURS", "MICRO", "GIB", "GIGA", "TERA"}
"""Definitions of units need no source."""

CONVERSIONS = {7, 24, 60, 168, 1000, 3600, 86_400, 1_000_000}
"""Numbers that may stand in a product, quotient or remainder: they turn one unit into another."""

SAYS_WHENCE = re.compile(r"\bsource\b|\bours\b|\bour choice\b", re.IGNORECASE)


def _named(tree: ast.Module) -> Iterator[tuple[ast.stmt, list[str], str]]:
    """Module-level constants: the statement, its names, the docstring below it."""
    for statement, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
        if names and all(name.lstrip("_").isupper() for name in names):
            below = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            yield statement, names, str(below)


def _numbers(node: ast.AST) -> Iterator[ast.Constant]:
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and type(child.value) in (int, float) and child.value not in PLAIN:
            yield child


def _form(tree: ast.Module) -> Iterator[ast.AST]:
    """Numbers that only say how: digits of round(), places in a sequence, powers, widths in a format."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("round", "_round"):
            yield from node.args[1:]
        elif isinstance(node, ast.Subscript):
            yield node.slice
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            yield node.right
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.FloorDiv | ast.Mod):
            yield from (side for side in (node.left, node.right) if getattr(side, "value", None) in CONVERSIONS)
        elif isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            yield node.format_spec


def unsourced(source: str) -> list[str]:
    """What a file says without a source, one line each."""
    tree = ast.parse(source)
    fine = {id(number) for form in _form(tree) for number in _numbers(form)}
    wrong = []
    for statement, names, below in _named(tree):
        numbers = list(_numbers(statement))
        fine |= {id(number) for number in numbers}
        derived = not numbers or set(names) <= UNITS
        if not derived and not SAYS_WHENCE.search(below):
            wrong.append(f"line {statement.lineno}: {', '.join(names)} says no source")
    loose = [number for number in _numbers(tree) if id(number) not in fine]
    return wrong + [f"line {number.lineno}: {number.value} has no name" for number in loose]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_number_has_a_name_and_a_source(file: Path) -> None:
    assert unsourced(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("x = price * 0.85", 1),
        ("SHARE = 0.85", 1),
        ('SHARE = 0.85\n"""A share."""', 1),
        ('SHARE = 0.85\n"""A share (source: a paper)."""', 0),
        ("def f(hours=12): return hours", 1),
        ("half = 100 * round(x / 2, 4)", 0),
        ("HOUR = 3600", 0),
        ("days = hours / 24", 0),
        ("safe = survival(24)", 1),
        ("first = row[3]", 0),
    ],
)
def test_the_test_finds_what_it_should(source: str, count: int) -> None:
    assert len(unsourced(source)) == count
