"""The version of this program, installed or not."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
"""Where a checkout says it."""


def version() -> str:
    """What is installed; in a checkout that is not installed, what that says of itself."""
    try:
        return importlib.metadata.version("spotbot")
    except importlib.metadata.PackageNotFoundError:
        return _of_checkout()


def _of_checkout() -> str:
    try:
        return str(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return "unknown"
