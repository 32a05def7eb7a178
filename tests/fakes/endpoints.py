"""What adds endpoints of webhooks in tests: every name is public, and a key is there."""

from __future__ import annotations

import socket
from typing import Any

from bot.secret_box import SecretBox, new_key
from bot.webhooks.endpoints import Endpoints
from bot.webhooks.guard import Guard

PUBLIC = "93.184.216.34"

SITE = "https://spot.example.com"
"""Where the web pages are."""


def resolver(host: str, port: Any, *more: Any, **named: Any) -> list[tuple[Any, ...]]:
    """Gives one public address, whatever it is asked."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, port))]


def public_endpoints() -> Endpoints:
    """Takes every https address with a name."""
    return Endpoints(SecretBox(new_key()), Guard(resolver=resolver))
