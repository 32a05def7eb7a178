"""Style and scripts: our own, and the chart library's out of its installed package; addressed by what is in them."""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOREVER = "public, max-age=31536000, immutable"

_OWN = Path(__file__).with_name("static")
_MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file for browsers. ``address`` changes with the body, so that it may be kept for ever."""

    address: str
    body: bytes
    packed: bytes
    media: str


@functools.cache
def assets() -> dict[str, Asset]:
    """All files by name; read once."""
    return {path.name: _asset(path) for path in (*sorted(_OWN.iterdir()), *_chart_library())}


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    mark = hashlib.sha256(body).hexdigest()[:16]
    return Asset(f"/assets/{mark}/{path.name}", body, gzip.compress(body, mtime=0), _MEDIA[path.suffix])


def _chart_library() -> tuple[Path, Path]:
    """uPlot's files. Its Python package is found, not imported: that would load all of IPython."""
    found = importlib.util.find_spec("uplot")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("the package uplot-python is not installed")
    folder = Path(found.submodule_search_locations[0], "static")
    return folder / "uPlot.iife.js", folder / "uPlot.min.css"


async def asset(request: Request) -> Response:
    """Answer with a file; an address of another version is unknown."""
    found = assets().get(request.path_params["name"])
    if found is None or found.address != request.scope["path"]:
        raise HTTPException(404, "there is no such file")
    packs = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding", **({"Content-Encoding": "gzip"} if packs else {})}
    return Response(found.packed if packs else found.body, headers=headers, media_type=found.media)
