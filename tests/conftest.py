"""Stores to test with: each test that asks for one runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from structlog.dev import plain_traceback

from bot.store.engine import Store, open_store
from tests.fakes.postgres import Databases, postgres_server
from tests.fakes.stored import fill

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


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An empty store to write and read, on either database."""
    opened = await open_store(database_url, writer=True)
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
