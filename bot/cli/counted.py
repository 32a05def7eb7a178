"""Counted nouns in the program's own lines, which are English only."""

from __future__ import annotations


def counted(n: int, noun: str) -> str:
    """A number with its regular noun: "1 row", "2 rows"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
