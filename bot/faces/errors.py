"""What keeps a chat face from starting, in sentences for whoever runs spotbot."""

from __future__ import annotations


class AccessRefused(Exception):
    """The platform refuses what the settings say; the message names the variable and how to mend it."""
