"""What secrets look like: how they are cleaned, what none may hold, and which variable one belongs in."""

from __future__ import annotations

import re
from collections.abc import Mapping

AROUND = " \t\r\n\v\f\ufeff\u200b\u200c\u200d\u2060\xa0"
"""What files, pages and clipboards leave around a value, invisibly."""

_FAULTS = (
    (re.compile(r"[\"'`“”‘’].*[\"'`“”‘’]", re.DOTALL), "is in quotes: write it without them"),
    (re.compile(r"[\r\n]"), "has a line break inside: copy it anew, as one line"),
    (re.compile(r"\s"), "has a blank inside: copy it anew, without blanks"),
    (re.compile(r"[\x00-\x1f\x7f-\x9f]"), "has a control character inside: copy it anew"),
    (re.compile(r"[^\x21-\x7e]"), "has a character inside that no secret has: copy it anew"),
)

_KINDS = (
    ("an app-level token of Slack (xapp-…)", re.compile(r"xapp-.*"), ("SLACK_APP_TOKEN",)),
    ("a bot token of Slack (xoxb-…)", re.compile(r"(xoxe\.)?xoxb-.*"), ("SLACK_BOT_TOKEN",)),
    ("a user token of Slack, which spotbot has no use for", re.compile(r"(xoxe\.)?xox[pacrs]-.*"), ()),
    ("a client id of Slack", re.compile(r"\d{6,}\.\d{6,}"), ("SLACK_CLIENT_ID",)),
    (
        "a signing secret or client secret of Slack",
        re.compile(r"[0-9a-f]{32}"),
        ("SLACK_SIGNING_SECRET", "SLACK_CLIENT_SECRET"),
    ),
    ("a bot token of Discord", re.compile(r"[\w-]{20,30}\.[\w-]{6}\.[\w-]{27,50}"), ("DISCORD_TOKEN",)),
    ("a key of Vast", re.compile(r"[0-9a-f]{64}"), ("VAST_API_KEY",)),
    ("a key that `spotbot keys secret` makes", re.compile(r"[\w-]{43}="), ("SPOTBOT_SECRET_KEY",)),
)
"""What it is, its form, and the variables where it belongs; the first form that fits is it. Prefixes and forms: the
platforms' own documentation of tokens; a form that two kinds share is nobody's."""

_NOT_TOLD_APART = {"VAST_API_KEY": re.compile(r"[0-9a-f]+"), "SLACK_SIGNING_SECRET": re.compile(r"[0-9a-f]{64}")}
"""What may be in a variable although it has the form of something else: no length of these is promised."""


def bare(value: str) -> str:
    """A value without the blanks, line ends and invisible characters around it."""
    return value.strip(AROUND)


def fault(secret: str) -> str:
    """What is wrong with the characters of a secret, without any of them; empty where nothing is."""
    return next((sentence for form, sentence in _FAULTS if form.search(secret)), "")


def misplaced(secrets: Mapping[str, str]) -> dict[str, str]:
    """A sentence for each variable that holds what belongs in another, or is of no use at all; none shows a secret."""
    kinds = {variable: _kind(variable, secret) for variable, secret in secrets.items()}
    return {
        variable: _sentence(variable, what, homes, kinds)
        for variable, (what, homes) in kinds.items()
        if what and variable not in homes
    }


def _kind(variable: str, secret: str) -> tuple[str, tuple[str, ...]]:
    allowed = _NOT_TOLD_APART.get(variable)
    if allowed is not None and allowed.fullmatch(secret):
        return "", ()
    return next(((what, homes) for what, form, homes in _KINDS if form.fullmatch(secret)), ("", ()))


def _sentence(
    variable: str, what: str, homes: tuple[str, ...], kinds: Mapping[str, tuple[str, tuple[str, ...]]]
) -> str:
    other = next((home for home in homes if variable in kinds.get(home, ("", ()))[1]), None)
    if other is not None:
        return f"{variable} is {what}: it is swapped with {other}; exchange the two"
    return f"{variable} is {what}" + (f": that belongs in {' or '.join(homes)}" if homes else "")
