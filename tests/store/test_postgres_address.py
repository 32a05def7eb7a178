"""PostgreSQL URLs as libpq's users write them: what asyncpg has is meant, what it has not is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from bot.cli.main import cli
from bot.config import database_url as completed
from bot.store.engine import StoreError, open_store
from bot.store.postgres_address import postgres_address
from tests.fakes.tls_door import TlsDoor, tls_door


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("postgres://u@h/d", {"user": "u", "host": "h", "port": 5432, "database": "d"}),
        ("postgresql://u:p%40s%2Fs%3F@h:6000/d", {"password": "p@s/s?", "host": "h", "port": 6000}),
        ("postgresql://u:a#b/c@h/d%20e", {"password": "a#b/c", "host": "h", "database": "d e"}),
        ("postgresql+asyncpg://u@h1:1,h2:2/d", {"host": ["h1", "h2"], "port": [1, 2]}),
        ("postgresql://u@h1,h2:2/d?port=7", {"host": ["h1", "h2"], "port": [7, 2]}),
        ("postgresql://u@/d?host=h1,h2&port=1,2", {"host": ["h1", "h2"], "port": [1, 2]}),
        ("postgresql://u@/d?host=h1:1&host=h2:2", {"host": ["h1", "h2"], "port": [1, 2]}),
        ("postgresql://u@[::1]:6000/d", {"host": "::1", "port": 6000}),
        ("postgresql:///d?host=/run/pg&user=u&password=p%25", {"host": "/run/pg", "user": "u", "password": "p%"}),
        ("postgresql://h/d?connect_timeout=3", {"timeout": 3}),
        ("postgresql://h/d?connect_timeout=0", {"timeout": None}),
        ("postgresql://h/d?sslmode=require&krbsrvname=pg", {"dsn": "postgresql://?sslmode=require&krbsrvname=pg"}),
        ("postgresql://h/d?ssl=true&", {"dsn": "postgresql://?sslmode=require"}),
        ("postgresql://h/d?channel_binding=prefer&sslsni=1", {"host": "h"}),
        ("postgresql://h/d?statement_cache_size=0", {"statement_cache_size": 0}),
    ],
)
def test_a_url_means_what_it_says(url: str, arguments: dict[str, Any]) -> None:
    connect = postgres_address(completed(url)).connect
    assert {name: connect.get(name, "absent") for name in arguments} == arguments


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
def test_every_mode_of_libpq_reaches_asyncpg(mode: str) -> None:
    assert postgres_address(f"postgresql://h/d?sslmode={mode}").connect["dsn"] == f"postgresql://?sslmode={mode}"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sslmode=sometimes", "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("channel_binding=require", "channel_binding cannot be used here.*take it out"),
        ("gssencmode=require", "gssencmode.*sslmode=require"),
        ("hostaddr=10.0.0.1", "hostaddr.*as the host"),
        ("keepalives_idle=5", "keepalives_idle.*take it out"),
        ("search_path=mine", "search_path.*options=-c%20search_path%3DVALUE"),
        ("connect_timeout=soon", "connect_timeout is a number"),
        ("target_session_attrs=best", "target_session_attrs is one of any, primary"),
        ("sslrootcert=/nowhere/ca.pem", "sslrootcert names no file that is here: /nowhere/ca.pem"),
        ("sslrootcert=system", "sslrootcert names a file"),
        ("port=1,2", "2 ports for 1 hosts"),
        ("require", "“require” has no ="),
    ],
)
def test_what_asyncpg_has_not_is_named_with_what_to_write(query: str, says: str) -> None:
    with pytest.raises(StoreError, match=f"DATABASE_URL: .*{says}"):
        postgres_address(f"postgresql://u:canary@h/d?{query}")


@pytest.mark.parametrize("url", ["postgresql://u:canary@h:x/d", "postgresql://u:can?ary@h/d"])
def test_a_refused_url_keeps_its_password(url: str) -> None:
    with pytest.raises(StoreError, match="DATABASE_URL") as caught:
        postgres_address(url)
    assert "ary" not in str(caught.value)


def test_the_address_for_people_has_no_password() -> None:
    for url in ("postgresql://u:canary@h:1/d?sslmode=require", "postgresql://u@h:1/d?password=canary"):
        assert postgres_address(url).where == "postgresql://u:***@h:1/d"


def _through(door: TlsDoor, url: str, query: str) -> str:
    database = url.partition("?")[0].rpartition("/")[2]
    return completed(f"postgres://postgres@127.0.0.1:{door.port}/{database}{query.format(authority=door.authority)}")


def _socket(url: str) -> Path:
    return Path(url.partition("?host=")[2]) / ".s.PGSQL.5432"


@pytest.mark.parametrize(
    ("query", "encrypted"),
    [
        ("", True),
        ("?sslmode=disable", False),
        ("?sslmode=require", True),
        ("?sslmode=verify-ca&sslrootcert={authority}", True),
        ("?sslmode=verify-full&sslrootcert={authority}&connect_timeout=20", True),
    ],
)
async def test_reading_writing_and_the_lease_are_encrypted_as_asked(
    postgres_tables: str, tmp_path: Path, query: str, encrypted: bool
) -> None:
    async with tls_door(_socket(postgres_tables), tmp_path) as door:
        store = await open_store(_through(door, postgres_tables, query), writer=True)
        async with store.writer(), store.reader():
            assert store.leads()
        await store.close()
        assert len(door.encrypted) == 3  # one to read, one to write, one for the lease
        assert set(door.encrypted) == {encrypted}


@pytest.mark.parametrize(
    ("query", "offers", "says"),
    [
        ("?sslmode=verify-full&sslrootcert={authority}", True, "cannot be used.*not valid for .localhost"),
        ("?sslmode=require", False, "cannot be reached.*rejected SSL"),
    ],
)
async def test_no_connection_is_weaker_than_the_url_asks(
    postgres_url: str, tmp_path: Path, query: str, offers: bool, says: str
) -> None:
    async with tls_door(_socket(postgres_url), tmp_path, offers=offers) as door:
        url = _through(door, postgres_url, query).replace("127.0.0.1", "localhost")  # not the certificate's name
        with pytest.raises(StoreError, match=says):
            await open_store(url, writer=True)
        assert True not in door.encrypted


async def test_prefer_goes_without_where_there_is_none(postgres_tables: str, tmp_path: Path) -> None:
    async with tls_door(_socket(postgres_tables), tmp_path, offers=False) as door:
        store = await open_store(_through(door, postgres_tables, "?sslmode=prefer"), writer=True)
        await store.close()
        assert set(door.encrypted) == {False}


async def test_a_standby_is_asked_for_in_vain(postgres_url: str) -> None:
    with pytest.raises(StoreError, match="target attribute"):
        await open_store(f"{postgres_url}&target_session_attrs=standby", writer=False)


async def test_the_session_is_named_and_set_as_the_url_says(postgres_tables: str) -> None:
    url = f"{postgres_tables}&application_name=mine&options=-c%20search_path%3Dpublic"
    store = await open_store(url, writer=True)
    try:
        async with store.reader() as reader:
            shown = text("SELECT current_setting('application_name'), current_setting('search_path')")
            assert tuple((await reader._conn.execute(shown)).one()) == ("mine", "public")
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("/spotbot_", "/absent_", "does not exist"),
        ("postgres@", "nobody@", 'role "nobody" does not exist'),
        ("?", "?options=-c%20nonsense%3D1&", "unrecognized configuration parameter"),
        ("?", "?sslmode=verify-full&", "root certificate file .* does not exist"),
    ],
)
async def test_what_the_server_will_never_let_in_is_one_sentence(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, old: str, new: str, says: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreError, match=f"cannot be used: .*{says}"):
        await open_store(postgres_url.replace(old, new), writer=False)


def test_migrate_names_a_parameter_and_prints_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u:canary@127.0.0.1:1/d?channel_binding=require")
    refused = CliRunner().invoke(cli, ["migrate"])
    assert refused.exit_code == 4
    assert "channel_binding" in refused.output
    assert "canary" not in refused.output
