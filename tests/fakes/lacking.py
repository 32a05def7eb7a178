"""The program run where packages are not installed: in a process, and its children, that cannot import them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OF_EXTRAS = ("matplotlib", "pandas", "sklearn", "sktime")


def python_without(
    folder: Path, modules: Sequence[str], *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments; ``folder`` takes what keeps the modules away."""
    lines = ["import sys", *(f"sys.modules[{name!r}] = None" for name in modules)]
    (folder / "sitecustomize.py").write_text("\n".join(lines), encoding="utf-8")
    path = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
