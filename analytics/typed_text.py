"""What people type and paste, made plain: the one place where a text is cleaned before anything is read in it."""

from __future__ import annotations

import re
import unicodedata

_FULL_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F)}
"""Full-width forms of ASCII (source: Unicode, U+FF01 to U+FF5E)."""

_QUOTES = str.maketrans("“”„‟«»‘’‚‛‐‑", '""""""' + "''''--")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|nbsp|#39);")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&#39;": "'", "&nbsp;": " "}
_OPTION = re.compile(r"(?<!\S)(?:[—–―−]+-?|-[—–―−])(?=[a-z])", re.IGNORECASE)
_MINUS = re.compile(r"(?<!\S)[−–—](?=[$]?\d)")
_EMPHASIS = re.compile(r"(?<![^\s*_~])([*~]{1,3}|_{1,3})(?=\S)([^*_~]*[^*_~\s])\1(?![^\s*_~])")


def plain_text(text: str) -> str:
    """The text as one would have typed it on a plain keyboard.

    Nothing that is not seen (zero-width signs, byte-order marks), plain blanks, full-width letters as ASCII, straight
    quotes, no code ticks and no emphasis, ``&lt;`` and its like as the signs they stand for, a dash before an option as
    ``--`` and one between blank and digit as a minus. Line breaks stay.
    """
    clean = "".join(map(_seen, text.translate(_FULL_WIDTH)))
    clean = _ENTITY.sub(lambda found: _ENTITIES[found[0]], clean).translate(_QUOTES).replace("`", " ")
    clean = _MINUS.sub("-", _OPTION.sub("--", clean))
    return _EMPHASIS.sub(r"\2", clean)


def _seen(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf" or char == "\ufe0f":
        return ""
    return " " if category == "Zs" else char
