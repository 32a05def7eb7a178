"""The tables in an answer, as files: the same figures as in its JSON, unrounded, with the same names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from analytics.evidence import plain

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so would be computed by spreadsheets."""

WHOLE = "answer"
"""The name of the one row that holds the figures which are in no list."""


def table_names(answer: Any) -> tuple[str, ...]:
    """What tables an answer has: its lists of objects by their names, else its own figures."""
    return tuple(dict(_tables(answer)))


def table_csv(answer: Any, name: str) -> str | None:
    """A table as CSV with a header; None where the answer has none of this name."""
    rows = dict(_tables(answer)).get(name)
    if rows is None:
        return None
    columns = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return out.getvalue()


def _tables(answer: Any) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    data = plain(answer)
    if not isinstance(data, dict):
        return
    lists: dict[str, list[Mapping[str, Any]]] = {
        name: [_flat(row) for row in rows]
        for name, rows in data.items()
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)
    }
    yield from lists.items()
    if not lists:
        yield WHOLE, [_flat(data)]


def _flat(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """An object as one row: what is in objects under both names, lists of texts as one text."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{name}.")
        elif isinstance(value, list):
            if not any(isinstance(one, (dict, list)) for one in value):
                found[before + name] = "; ".join(map(str, value))
        else:
            found[before + name] = value
    return found


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA_SIGNS):
        return f"'{value}"
    return value
