"""Which addresses webhooks may reach: public ones by https, and what the operator named.

``ssrfguard`` checks every address that a name has and connects to the one it checked, follows no name twice, and reads
mapped, tunnelled, decimal, octal and hexadecimal forms. One text stands for all refusals: who adds an endpoint learns
nothing of our network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass, field
from functools import cache

from ssrfguard import AddressTable, Policy, Resolver, SSRFGuardError, resolve
from ssrfguard.httpx import AsyncClient

from analytics.errors import Refused
from analytics.evidence import Note

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = frozenset({443, 8443})
"""Ports of public endpoints (source: references/reliability.md, C5)."""

CONNECT_S = 5.0
"""Seconds to connect (source: references/reliability.md, C4)."""

LOOKUP_S = 5.0
"""Seconds that looking a name up may take when an endpoint is added (ours: as long as connecting)."""

LONGEST_URL = 1000
"""Characters of an endpoint's address (ours: more than any receiver needs)."""

LOOKUPS = 50
"""Names looked up at once: as many as deliveries in flight, so that slow ones hold up nobody else."""

REFUSAL = Note("this address cannot be used for a webhook: give a public https address on port 443 or 8443")
"""The one text of all refusals."""


class BadAllowance(ValueError):
    """SPOTBOT_WEBHOOK_ALLOW holds something else."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What may be reached: public addresses, ``hosts`` (host and port, also by http), and ``networks`` by https."""

    hosts: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[Network, ...] = ()
    resolver: Resolver | None = field(default=None, compare=False)
    """stands in for the system's; for tests"""
    certificates: ssl.SSLContext | None = field(default=None, compare=False)
    """which receivers are believed, in place of those that the system trusts; for drills"""

    def check_form(self, url: str) -> None:
        """Refuse what can be refused without looking a name up; raises Refused."""
        try:
            self.policy(url).check_url(url)
        except SSRFGuardError:
            raise Refused(REFUSAL) from None

    async def check(self, url: str) -> None:
        """The same, and every address of its name; raises Refused, also where the name has none."""
        self.check_form(url)
        policy = self.policy(url)
        try:
            async with asyncio.timeout(LOOKUP_S):
                await asyncio.to_thread(self._resolve, policy, url)
        except (SSRFGuardError, OSError, TimeoutError):
            raise Refused(REFUSAL) from None

    def client(self, url: str) -> AsyncClient:
        """A client for one request to this address; it follows no redirect and knows no proxy."""
        return AsyncClient(
            policy=self.policy(url),
            resolver=self.resolver,
            resolver_slots=LOOKUPS,
            verify=self.certificates or _certificates(),
            trust_env=False,
            follow_redirects=False,
            timeout=CONNECT_S,
        )

    def policy(self, url: str) -> Policy:
        """The rules for an address: those of the operator's allowance where it names this very host and port."""
        for host, port in self.hosts:
            vouched = Policy(
                allowed_hosts=frozenset({host}),
                allowed_ports=frozenset({port}),
                denied_networks=_NOTHING,
                max_url_length=LONGEST_URL,
            )
            try:
                vouched.check_url(url)
            except SSRFGuardError:
                continue
            return vouched
        return Policy(
            allowed_schemes=frozenset({"https"}),
            allowed_ports=PORTS,
            allowed_networks=self.networks,
            max_url_length=LONGEST_URL,
        )

    def _resolve(self, policy: Policy, url: str) -> None:
        resolve(policy.check_url(url), policy=policy, resolver=self.resolver)


_NOTHING = AddressTable(())


def guard_of(allowance: str) -> Guard:
    """The guard of SPOTBOT_WEBHOOK_ALLOW: ``host:port`` or networks, separated by commas; raises BadAllowance."""
    hosts: set[tuple[str, int]] = set()
    networks: list[Network] = []
    for entry in filter(None, (part.strip() for part in allowance.split(","))):
        if "/" in entry:
            networks.append(_network(entry))
        else:
            hosts.add(_host(entry))
    guard = Guard(frozenset(hosts), tuple(networks))
    try:
        guard.policy("https://example.com")
    except ValueError as error:
        raise BadAllowance(f"SPOTBOT_WEBHOOK_ALLOW: {error}") from None
    return guard


def _network(entry: str) -> Network:
    try:
        return ipaddress.ip_network(entry)
    except ValueError as error:
        raise BadAllowance(f"SPOTBOT_WEBHOOK_ALLOW: {error}. Write a network such as 10.0.0.0/8.") from None


def _host(entry: str) -> tuple[str, int]:
    host, _, port = entry.rpartition(":")
    number = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if not number or not _names(host):
        raise BadAllowance(f"SPOTBOT_WEBHOOK_ALLOW: {entry!r} is neither host:port nor a network such as 10.0.0.0/8.")
    return host.strip("[]").lower(), int(port)


def _names(host: str) -> bool:
    """Whether it is a name, an IPv4 address, or an IPv6 address in brackets or without: no part of one."""
    if ":" not in host:
        return bool(host) and not any(c.isspace() or c in "@[]" for c in host)
    try:
        return bool(ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        return False


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()
