"""How often an address may send wrong API keys in a form. A right one is let in all the same: many share one."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from cachetools import LRUCache

MOST = 10
"""Failed tries of one address in a minute."""

WINDOW_S = 60

ADDRESSES = 10_000
"""Addresses that are remembered; the ones that tried longest ago are forgotten first."""

SITE_BITS = 64
"""Bits of an IPv6 address that tell sites apart; the rest each machine chooses (RFC 4291, 2.5.4)."""


class KeyTries:
    """Failed tries of the last minute by address. ``timer`` gives seconds that never run backwards."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._failed: LRUCache[str, deque[float]] = LRUCache(ADDRESSES)

    def fail(self, address: str) -> int:
        """Count a wrong key; where there were too many already, seconds until another is looked at."""
        now, tries = self._timer(), self._failed.setdefault(_site(address), deque())
        while tries and tries[0] <= now - WINDOW_S:
            tries.popleft()
        if len(tries) >= MOST:
            return max(1, math.ceil(tries[0] + WINDOW_S - now))
        tries.append(now)
        return 0


def _site(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:  # a socket that has no address
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((int(parsed), SITE_BITS), strict=False))
    return str(parsed)
