"""JSON on a standard output that cannot encode everything stays the same value."""

from __future__ import annotations

import io
import json
import sys

import pytest

from bot.faces.console.face import write_json


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_keeps_its_value_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    value, raw = {"são “4090” → 🚀": ["1,5 h", 'a\\b"c\n']}, io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    write_json(json.dumps(value, ensure_ascii=False))
    out.flush()
    assert json.loads(raw.getvalue().decode(encoding)) == value
