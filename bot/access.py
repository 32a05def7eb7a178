"""Who may ask, and how often: the key in a request's headers, and one token bucket a key."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot.accounts import Asker

READ = "read"
"""The scope that a key needs for the questions, whose answers are the same for everybody."""

ALERTS = "alerts"
"""The scope that a key needs to act on the alerts of its owner."""

WEBHOOKS = "webhooks"
"""The scope that a key needs to act on the webhooks of its owner."""

SIGN_IN = "sign-in"
"""The scope of links to the web pages. No key has it, and nobody who is signed in: only people in chat get a link."""

_CREDENTIALS = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,200}=*)", re.IGNORECASE)


class Metered(Protocol):
    """Whose requests are counted."""

    @property
    def id(self) -> Hashable:
        """Which bucket is theirs."""

    @property
    def per_minute(self) -> int:
        """Requests a minute, at least 1."""


class Holder(Metered, Protocol):
    """What must be known of a key's holder; ``bot.store.api_keys.ApiKey`` is one."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What their key may be used for."""

    @property
    def asker(self) -> Asker | None:
        """In whose name it acts; None where it only asks."""


ROUNDING = 1e-9
"""The part of a request that sums of fractions may lose: who has waited as told must not be refused for it."""

KeyCheck = Callable[[str], Awaitable[Holder | None]]
"""The holder of a key as it was sent, None for an unknown or revoked one."""


def bearer(headers: Sequence[str]) -> str | None:
    """The key in the ``Authorization`` headers of one request; None unless exactly one well-formed key is there."""
    match = _CREDENTIALS.fullmatch(headers[0].strip()) if len(headers) == 1 else None
    return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left. ``reset``: seconds to a full bucket; ``wait``: until another request may come, 0 if it may now."""

    limit: int
    remaining: int
    reset: int
    wait: int

    @property
    def headers(self) -> dict[str, str]:
        """The ``RateLimit-*`` headers, with ``Retry-After`` when nothing is left for this request."""
        told = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }
        return {**told, "Retry-After": str(self.wait)} if self.wait else told


@dataclass(slots=True)
class Quotas:
    """One bucket a key, kept in this process. ``timer`` gives seconds that never run backwards."""

    timer: Callable[[], float]
    _buckets: dict[Hashable, tuple[float, float]] = field(default_factory=dict)
    """key id, or who a person is -> (tokens, when counted)"""

    def take(self, holder: Metered) -> Allowance:
        """Take one request out of the holder's bucket, unless it is empty; a refused request costs nothing."""
        now, limit, rate = self.timer(), holder.per_minute, holder.per_minute / 60
        tokens, counted = self._buckets.get(holder.id, (float(limit), now))
        tokens = min(float(limit), tokens + (now - counted) * rate)
        wait = 0 if tokens >= 1 - ROUNDING else max(1, math.ceil((1 - tokens) / rate))
        tokens = tokens if wait else max(0.0, tokens - 1)
        self._buckets[holder.id] = (tokens, now)
        return Allowance(limit=limit, remaining=int(tokens), reset=math.ceil((limit - tokens) / rate), wait=wait)
