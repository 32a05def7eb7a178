"""How this program is called from another terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

NAME = "spotbot"


def program() -> str:
    """What to type to run this very program: its name, else its path, from the current folder if it is inside."""
    script = _script()
    if script is None:
        return f"{shlex.quote(sys.executable)} -m bot"
    found = shutil.which(NAME)
    if found is not None and os.path.samefile(found, script):
        return NAME
    path = Path(os.path.abspath(script))  # links are kept: a virtual environment is known by its own path
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _script() -> Path | None:
    """The console script that was started, or the one beside the interpreter."""
    started = Path(sys.argv[0])
    beside = Path(sys.executable).parent / NAME
    return next((path for path in (started, beside) if path.name == NAME and path.is_file()), None)
