"""Whom an alert calls besides telling its channel: one role (Discord) or user group (Slack), only where its maker may.

Slack does not tell an app who may call which group, so there it takes a manager of the workspace (ours). Nobody calls
everybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from analytics.errors import AskError, Refused
from analytics.evidence import Note
from bot.accounts import Asker

OFF = frozenset(("off", "none", "nobody", "-", "ninguém", "ninguem"))

_IDS: Mapping[str, re.Pattern[str]] = {
    "slack": re.compile(r"(?:<!subteam\^)?(S[A-Z0-9]{1,20})(?:\|[^>]*)?>?"),
    "discord": re.compile(r"(?:<@&)?([0-9]{15,20})>?"),
}
_EXAMPLES = {"slack": ("S0123ABCD",), "discord": ("<@&123456789012345678>",)}


def mention_of(asker: Asker, text: str) -> str:
    """The id of the role or group that is meant, empty for none; raises where there is none or the asker may not."""
    said = text.strip()
    if said.lower() in OFF:
        return ""
    form = _IDS.get(asker.platform)
    if form is None:
        raise AskError(Note("only alerts on Slack and Discord can call a role or a user group"))
    match = form.fullmatch(said)
    if match is None:
        raise AskError(
            Note("a role or user group is named by its id; copy it from the chat's own settings"),
            suggestions=_EXAMPLES[asker.platform],
        )
    everybody = match[1] == asker.team  # Discord's role of all has its server's id
    if everybody or (asker.mentionable is not None and match[1] not in asker.mentionable):
        raise Refused(Note("you may not call this role or user group yourself, so your alert may not either"))
    return match[1]
