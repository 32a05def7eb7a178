"""Which shape the stored tables have, and bringing them to the one this code knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.errors import StoreError
from bot.store.tables import metadata

HEAD = "0014"
"""The newest migration; revisions are numbered in order."""

LEASED = "0003"
"""From this revision on the tables tell who leads."""

BLANK = "0000"
"""What a place without our tables counts as."""


async def version(conn: AsyncConnection) -> str:
    """The revision of the stored tables."""
    names = await conn.run_sync(lambda sync: inspect(sync).get_table_names())
    if "alembic_version" in names:
        return str(await conn.scalar(text("SELECT version_num FROM alembic_version")) or BLANK)
    strangers = sorted(metadata.tables.keys() & set(names))
    if strangers:
        raise StoreError(
            f"The database holds tables that spotbot did not make ({', '.join(strangers)}); use another one."
        )
    return BLANK


def check(found: str, where: str) -> None:
    """Raise StoreError unless the tables have the shape that this code knows."""
    if found > HEAD:
        raise StoreError(
            f"{where} was written by a newer spotbot (tables {found}, known {HEAD}). Upgrade this program."
        )
    if found < HEAD:
        raise StoreError(f"{where} has older tables ({found}, needed {HEAD}). Run `spotbot migrate` once.")


async def migrate(conn: AsyncConnection, revision: str = HEAD) -> None:
    """Bring the tables to a revision inside the open transaction: all of it or nothing."""
    await conn.run_sync(_upgrade, revision)


def _upgrade(conn: Connection, revision: str) -> None:
    # Alembic takes a sixth of a second to import; a question must not pay for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    command.upgrade(config, revision)
