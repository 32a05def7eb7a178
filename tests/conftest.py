"""Stores to test with: each test that asks for one runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog
from hypothesis import settings
from structlog.dev import plain_traceback
from xdist.scheduler import LoadScopeScheduling

from bot.store.engine import Store, open_store
from tests.fakes.postgres import Databases, postgres_server
from tests.fakes.stored import fill

T = TypeVar("T")

# No test measures time: a first import of scipy is slow, and that is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# The default draws every traceback with all local values, which takes seconds where a whole store is among them.
structlog.configure(
    processors=[structlog.processors.add_log_level, structlog.dev.ConsoleRenderer(exception_formatter=plain_traceback)]
)


def pytest_configure(config: pytest.Config) -> None:
    """One PostgreSQL for all workers: where there are several, the process that starts them starts it."""
    if not getattr(config.option, "numprocesses", None) or "TEST_POSTGRES_URL" in os.environ:
        return
    server = postgres_server()
    os.environ["TEST_POSTGRES_URL"] = server.__enter__()
    config.add_cleanup(lambda: server.__exit__(None, None, None))


class _OneBrowser(LoadScopeScheduling):
    """Each test to the worker that is free, but all of pages to one: the others need no Chromium.

    xdist's own groups go by a node's private name, which pytest 9.2 no longer reads: there they split without a word.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if nodeid.startswith("tests/browser/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _OneBrowser:
    return _OneBrowser(config, log)


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """No test reaches beyond this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        beyond = self.family in (socket.AF_INET, socket.AF_INET6) and not ip_address(address[0]).is_loopback
        if beyond:
            raise AssertionError(f"a test wanted to connect to {address}")
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """The server that TEST_POSTGRES_URL names (its user must be able to create databases), else one of our own."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield Databases(url)
        return
    with postgres_server() as url:
        yield Databases(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file that is not there yet."""
    return f"sqlite:///{tmp_path / 'spotbot.db'}"


@pytest.fixture
async def postgres_url(postgres: Databases) -> AsyncIterator[str]:
    """An empty database."""
    url = await postgres.create()
    yield url
    await postgres.drop(url)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A place where nothing has been stored, on either database."""
    url: str = request.getfixturevalue(request.param)
    return url


async def _make_tables(url: str) -> None:
    # A reader makes them without leading: the first leader of a copy counts as the first, as where nothing was.
    await (await open_store(url, writer=False)).close()


def _run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run something to its end in a loop of its own, also where one is running: an async fixture may want it first."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def file_with_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store to copy: every migration, a tenth of a second of work, is run once and not for each test.

    This session makes it, so it is never older than the code. What tests migrations starts from ``database_url``.
    """
    file = tmp_path_factory.mktemp("tables") / "spotbot.db"
    _run_apart(_make_tables(f"sqlite:///{file}"))
    assert not file.with_name("spotbot.db-wal").exists(), "a copy of the file alone would lack its tables"
    return file


@pytest.fixture(scope="session")
def database_with_tables(postgres: Databases) -> Iterator[str]:
    """The same in PostgreSQL."""
    url = _run_apart(postgres.create())
    _run_apart(_make_tables(url))
    yield url
    _run_apart(postgres.drop(url))


@pytest.fixture
def sqlite_tables(sqlite_url: str, file_with_tables: Path) -> str:
    """A file with the tables of this code, and nothing in them."""
    shutil.copy(file_with_tables, sqlite_url.removeprefix("sqlite:///"))
    return sqlite_url


@pytest.fixture
async def postgres_tables(postgres: Databases, database_with_tables: str) -> AsyncIterator[str]:
    """A database with the tables of this code, and nothing in them."""
    url = await postgres.create(like=database_with_tables)
    yield url
    await postgres.drop(url)


@pytest.fixture(params=["sqlite_tables", "postgres_tables"])
def database_tables(request: pytest.FixtureRequest) -> str:
    """A place with the tables of this code and nothing in them, on either database."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def store(database_tables: str) -> AsyncIterator[Store]:
    """An empty store to write and read, on either database."""
    opened = await open_store(database_tables, writer=True)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def market_file(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The stored market of tests/fakes/stored.py, made once for all workers. Only read it, or a copy."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder if worker_id == "master" else folder.parent
    file, made = folder / "market.db", folder / "market.made"
    with (folder / "market.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            asyncio.run(fill(file))
            made.touch()
    return file
