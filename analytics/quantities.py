"""Numbers as people write them, in languages that separate differently: never silently another number."""

from __future__ import annotations

import re
from decimal import Decimal

_ENGLISH, _PORTUGUESE = (",", "."), (".", ",")
_FORMS = {
    (group, decimal): re.compile(
        rf"(?P<grouped>[1-9][0-9]{{0,2}}(?:{re.escape(group)}[0-9]{{3}})+)(?:{re.escape(decimal)}(?P<fraction>[0-9]+))?"
        rf"|(?P<whole>[0-9]*)(?:{re.escape(decimal)}(?P<part>[0-9]+))?"
    )
    for group, decimal in (_ENGLISH, _PORTUGUESE)
}
"""(group, decimal) -> how a number is written with these."""


def read_decimal(text: str, *, decimal_comma: bool = False) -> Decimal | None:
    """The number that a text of digits and separators writes, or None where it writes none.

    Groups have three digits and begin with another than 0. What cannot be meant in the reader's own way (``0,35`` in
    English, ``0.35`` in Portuguese) is read in the other; ``1,500`` can: it is 1500 in English, 1.5 in Portuguese.
    """
    for way in (_PORTUGUESE, _ENGLISH) if decimal_comma else (_ENGLISH, _PORTUGUESE):
        match = _FORMS[way].fullmatch(text.strip())
        if match and any(match.groups()):
            whole = (match["grouped"] or match["whole"] or "0").replace(way[0], "")
            return Decimal(f"{whole}.{match['fraction'] or match['part'] or '0'}")
    return None
