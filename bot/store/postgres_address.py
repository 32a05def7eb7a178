"""A PostgreSQL URL as libpq's users write it, in asyncpg's terms: no parameter is dropped, each is meant or refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import asyncpg

from bot.store.errors import StoreError

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

CHOICES: dict[str, tuple[str, ...]] = {
    "sslmode": SSL_MODES,
    "target_session_attrs": ("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
    "sslnegotiation": ("postgres", "direct"),
    "gsslib": ("gssapi", "sspi"),
}
"""Parameters of a few words."""

FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl", "passfile")
"""Parameters that name a file."""

READ_BY_ASYNCPG = (
    *CHOICES,
    *FILES,
    "sslpassword",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "krbsrvname",
    "service",
)
"""Parameters that asyncpg reads from a URL as libpq does (``connect_utils`` of asyncpg 0.32)."""

SESSION = ("application_name", "options")
"""Parameters that the server is told as they are."""

NUMBERS: dict[str, type[int] | type[float]] = {
    "connect_timeout": float,
    "timeout": float,
    "command_timeout": float,
    "statement_cache_size": int,
    "max_cached_statement_lifetime": int,
    "max_cacheable_statement_size": int,
    "prepared_statement_cache_size": int,
}
"""Numbers for the driver: libpq's one, and asyncpg's own."""

ALREADY_SO: dict[str, tuple[str, ...]] = {
    "channel_binding": ("prefer", "disable"),
    "gssencmode": ("prefer", "disable"),
    "load_balance_hosts": ("disable",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
    "client_encoding": ("utf8", "UTF8", "utf-8", "UTF-8", "auto"),
    "replication": ("false", "off", "no", "0"),
}
"""Parameters whose named values say what asyncpg does anyway."""

INSTEAD = {
    "channel_binding": "asyncpg cannot bind channels: take it out; sslmode=verify-full makes sure of the server",
    "gssencmode": "asyncpg cannot encrypt by GSSAPI: take it out, and use sslmode=require",
    "hostaddr": "write the address as the host",
    "sslcompression": "take it out; connections are not compressed",
    "requiressl": "write sslmode=require",
    "sslcrldir": "write sslcrl= and one file",
    "require_auth": "take it out; the server chooses among what the password and the files allow",
    "load_balance_hosts": "take it out; hosts are tried in their order",
    "fallback_application_name": "write application_name=",
    "client_encoding": "take it out; spotbot speaks UTF-8",
    **dict.fromkeys(
        ("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
        "take it out; the system's own settings hold",
    ),
}
"""What to write for parameters that cannot be meant. For the rest: take them out."""


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where and how to connect. ``where``: for people, without a secret."""

    where: str
    connect: Mapping[str, Any]
    """arguments of asyncpg's ``connect``"""
    session: Mapping[str, str] = field(default_factory=dict)
    """settings of the session that the URL asks for"""
    driver: Mapping[str, int] = field(default_factory=dict)
    """arguments of SQLAlchemy's own connection"""


def postgres_address(url: str) -> PostgresAddress:
    """Read a URL; raises StoreError that says which parameter to change, and to what."""
    _, _, rest = url.partition("://")
    body, _, query = rest.partition("?")
    if "@" not in body and ":" in body and "@" in query:
        raise _wrong("in a user name or password write %3F for ?, %40 for @, %2F for / and %23 for #")
    account, _, place = body.rpartition("@")
    hosts, _, database = place.partition("/")
    user, _, password = account.partition(":")
    said, places = _parameters(query)
    found = {
        "user": unquote(user) or said.get("user"),
        "password": unquote(password) or said.get("password"),
        "database": unquote(database) or said.get("dbname") or said.get("database"),
        **_hosts([*(unquote(host) for host in hosts.split(",") if host), *places], said.pop("port", "")),
    }
    shown = f"postgresql://{quote(found['user'] or '')}{':***' if found['password'] else ''}@{hosts}/"
    shown = f"{shown}{quote(found['database'] or '')}" + (f"?host={','.join(places)}" if places else "")
    connect, driver = _driver(said)
    known = {name: said[name] for name in said if name in READ_BY_ASYNCPG}
    dsn = {"dsn": f"postgresql://?{urlencode(known)}"} if known else {}
    given = {name: value for name, value in found.items() if value is not None}
    return PostgresAddress(
        shown, {**given, **dsn, **connect}, {name: said[name] for name in SESSION if name in said}, driver
    )


def _wrong(sentence: str) -> StoreError:
    return StoreError(f"DATABASE_URL: {sentence}.")


def _parameters(query: str) -> tuple[dict[str, str], list[str]]:
    """What stands behind the question mark, checked, and the hosts among it."""
    said: dict[str, str] = {}
    hosts: list[str] = []
    for piece in filter(None, query.split("&")):
        name, sign, value = (unquote(part) for part in piece.partition("="))
        if not sign or not name:
            raise _wrong(f"behind the ? stand parameters, as in ?sslmode=require; “{name}” has no =")
        if name == "ssl":  # as asyncpg and other drivers call it; "true" as libpq reads it
            name, value = "sslmode", "require" if value == "true" else value
        if name == "host":
            hosts += [host for host in value.split(",") if host]
        elif value or name not in INSTEAD:
            said[name] = value
    for name, value in said.items():
        _check(name, value)
    return {name: value for name, value in said.items() if value != "" and name not in ALREADY_SO}, hosts


def _check(name: str, value: str) -> None:
    if name in ALREADY_SO and value in ALREADY_SO[name]:
        return
    if name in CHOICES and value and value not in CHOICES[name]:
        raise _wrong(f"{name} is one of {', '.join(CHOICES[name])}, not “{value}”")
    if name == "sslrootcert" and value == "system":
        raise _wrong("sslrootcert names a file: that of the system's authorities rather than “system”")
    if name in FILES and value and not Path(value).is_file():
        raise _wrong(f"{name} names no file that is here: {value}")
    if name in NUMBERS and value:
        _number(name, value)
    known = (*READ_BY_ASYNCPG, *SESSION, *NUMBERS, "user", "password", "dbname", "database", "port")
    if name not in known:
        setting = f"take it out; a setting of the server is written options=-c%20{quote(name)}%3DVALUE"
        raise _wrong(f"{name} cannot be used here: {INSTEAD.get(name, setting)}")


def _number(name: str, value: str) -> float:
    try:
        return NUMBERS[name](value)
    except ValueError:
        raise _wrong(f"{name} is a number, not “{value}”") from None


def _driver(said: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, int]]:
    numbers: dict[str, Any] = {name: _number(name, said[name]) for name in NUMBERS if name in said}
    cache = numbers.pop("prepared_statement_cache_size", None)
    if (patience := numbers.pop("connect_timeout", None)) is not None:
        numbers.setdefault("timeout", patience if patience > 0 else None)  # as libpq: 0 waits for ever
    return numbers, {} if cache is None else {"prepared_statement_cache_size": cache}


def _hosts(hosts: list[str], ports: str) -> dict[str, Any]:
    """asyncpg's hosts and ports, one of each where there is one."""
    pairs = [_host(text) for text in hosts]
    said = [_port(text) for text in ports.split(",")] if ports else []
    if len(said) > 1 and len(said) != len(pairs):
        raise _wrong(f"there are {len(said)} ports for {len(pairs)} hosts")
    if not pairs:
        return {"port": said[0]} if said else {}
    default = said or [5432]
    each = [port or default[n if len(default) > 1 else 0] for n, (_, port) in enumerate(pairs)]
    if len(pairs) == 1:
        return {"host": pairs[0][0], "port": each[0]}
    return {"host": [host for host, _ in pairs], "port": each}


def _host(text: str) -> tuple[str, int | None]:
    if text.startswith("/"):
        return text, None  # the folder of a socket
    parts = re.fullmatch(r"(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:]*))(?::(?P<port>.*))?", text)
    if parts is None:
        raise _wrong(f"“{text}” is no host; an IPv6 address stands in brackets: [::1]:5432")
    return parts["v6"] or parts["name"] or "localhost", _port(parts["port"]) if parts["port"] else None


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise _wrong(f"“{text}” is no port")
    return int(text)


async def connect(address: PostgresAddress, session: Mapping[str, str]) -> asyncpg.Connection:
    """A connection of the driver; raises StoreError where the server or a file will never let us in as we are."""
    settings = {**session, **address.session}
    try:
        return await asyncpg.connect(**address.connect, server_settings=settings)
    except (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        asyncpg.CantChangeRuntimeParamError,
        asyncpg.UndefinedObjectError,
        asyncpg.InvalidParameterValueError,
        asyncpg.InterfaceError,
        ValueError,
    ) as error:
        raise StoreError(f"{address.where} cannot be used: {' '.join(str(error).split())}") from error
