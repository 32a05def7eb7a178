"""Compile, by importing it, what the program uses of its packages: a third of them, where pip would compile all."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator

LATE = (
    "aiosqlite", "asyncpg", "babel.dates", "babel.messages.pofile", "jinja2.ext", "matplotlib.backends.backend_agg",
    "prompt_toolkit", "rich.console", "scipy.optimize", "scipy.sparse", "scipy.special", "sklearn.ensemble",
    "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "uvicorn.protocols.http.h11_impl",
)  # fmt: skip
"""What is imported within functions, or by name."""

LEFT_OUT = ("bot.__main__", "bot.store.migrations", "analytics.forecasting.sktime_expert")
"""What does something when it is imported, or needs what only tests have."""


def modules() -> Iterator[str]:
    """Ours, then those that come late."""
    for name in ("analytics", "bot"):
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not found.name.startswith(LEFT_OUT):
                yield found.name
    yield from LATE


if __name__ == "__main__":
    sys.dont_write_bytecode = False  # where the environment asks for none, each start would compile all of it anew
    for one in modules():
        importlib.import_module(one)
