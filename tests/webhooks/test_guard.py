"""Which addresses webhooks may reach: seventeen forms of private ones refused with one text, and what is allowed."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from analytics.errors import Refused
from bot.webhooks.guard import REFUSAL, BadAllowance, Guard, guard_of

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.1"

HIDDEN = [
    "https://127.0.0.1/",
    "https://localhost/",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::1]/",
    "https://[fe80::1%25eth0]/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://0x7f000001/",
    "https://127.1/",
    "https://①②⑦.0.0.1/",
    "https://user:secret@93.184.216.34/",
    "https://0.0.0.0/",
    "https://[fd00::1]/",
]
ODD = [
    "http://93.184.216.34/",
    "https://93.184.216.34:22/",
    "ftp://93.184.216.34/",
    "file:///etc/passwd",
    "https://",
    "https://exa mple.com/",
    "https://a.com/\r\nx: y",
    f"https://{'a' * 2000}.com/",
    "nonsense",
    "",
]


def answers(*addresses: str) -> Any:
    """A resolver that gives these, whatever it is asked."""

    def resolver(host: str, port: Any, *more: Any, **named: Any) -> list[tuple[Any, ...]]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    return resolver


@pytest.mark.parametrize("url", [*HIDDEN, *ODD])
async def test_what_is_not_public_is_refused_with_one_text(url: str) -> None:
    guard = Guard(resolver=answers("127.0.0.1"))
    with pytest.raises(Refused) as refused:
        await guard.check(url)
    assert refused.value.note == REFUSAL


@pytest.mark.parametrize("found", [[PRIVATE], [PUBLIC, PRIVATE], ["::ffff:10.0.0.1"], ["2002:7f00:1::1"], []])
async def test_every_address_of_a_name_counts(found: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        await Guard(resolver=answers(*found)).check("https://hooks.example.com/x")
    assert refused.value.note == REFUSAL


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/x?y=1", "https://hooks.example.com:8443/", f"https://{PUBLIC}/"]
)
async def test_a_public_address_is_taken(url: str) -> None:
    await Guard(resolver=answers(PUBLIC)).check(url)


async def test_what_the_operator_names_is_open_and_nothing_beside_it() -> None:
    guard = guard_of("127.0.0.1:9000, receiver.internal:8080, 10.1.0.0/16, [::1]:9001")
    guard = Guard(guard.hosts, guard.networks, answers("10.1.2.3"))
    for url in ("http://127.0.0.1:9000/x", "https://127.0.0.1:9000/", "http://receiver.internal:8080/a", "http://[::1]:9001/",
                "https://10.1.2.3/", "https://name.example/"):  # fmt: skip
        await guard.check(url)
    for url in ("http://127.0.0.1:9001/", "http://127.0.0.1/", "http://10.1.2.3/", "https://10.2.0.1/", "http://receiver.internal/",
                "https://10.1.2.3:9000/", "http://user@127.0.0.1:9000/", "ftp://127.0.0.1:9000/"):  # fmt: skip
        with pytest.raises(Refused):
            await guard.check(url)


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "10.0.0.0/99", "host:0", "host:x", ":80", "64:ff9b::/96", "10.0.0.1/8", "::1", "u@host:80", "a b:80"],
)
def test_an_allowance_that_means_nothing_is_told(text: str) -> None:
    with pytest.raises(BadAllowance, match="SPOTBOT_WEBHOOK_ALLOW"):
        guard_of(text)


def test_nothing_said_allows_nothing() -> None:
    assert guard_of(" , ") == Guard()
