"""Messages that tell of the delivery itself, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.presentation.card import Action, Card
from bot.presentation.words import Words

WEBHOOK_DISABLED = "webhook.disabled"
"""An endpoint gets no events any more."""


def _disabled(payload: Mapping[str, Any], words: Words) -> Card:
    name = payload["webhook"]
    lead = words("No event goes to {host} any more ({reason}).", host=payload["host"], reason=words(payload["reason"]))
    note = words("“webhook test” challenges it again; “webhook replay” sends what it missed.")
    return Card(
        words("Webhook {id} was disabled", id=name),
        lead,
        notes=(note,),
        actions=(Action(words("Test it"), f"webhook test {name}"), Action(words("Show"), f"webhook show {name}")),
    )


NOTICES: Mapping[str, Callable[[Mapping[str, Any], Words], Card]] = {WEBHOOK_DISABLED: _disabled}
"""The card of each kind."""
