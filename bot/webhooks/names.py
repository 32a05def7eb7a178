"""The names of events."""

from __future__ import annotations

FIRED, RESOLVED, PRICE = "alert.fired", "alert.resolved", "price.changed"
TEST, CHALLENGE = "webhook.test", "webhook.challenge"

SUBSCRIBED = (FIRED, RESOLVED, PRICE)
"""Those that may be chosen; every endpoint is told of its challenge, first, and of tests."""
