"""What chats would show, from what they would be sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.presentation.card import Card
from bot.presentation.words import Words

Preview = Callable[[Card, Words, str], dict[str, Any]]
"""What a platform would be sent for a card and the line that asks it again, as JSON."""


def chat_html(platform: str, payload: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """What a platform would show of a payload; ``pictures``: addresses by the names that it gives them."""
    return ""
