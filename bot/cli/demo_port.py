"""The demo's port, taken before anything else, so that a taken one is known at once."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from bot.app import CannotListen
from bot.config import Settings
from bot.faces.http.api import listen

HOST = "127.0.0.1"


def take_port(settings: Settings, say: Callable[[str], None]) -> socket.socket:
    """Listen on the port that was asked for, or raise CannotListen; on a free one where none was and 8080 is taken."""
    try:
        return listen(HOST, settings.port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and "port" not in settings.model_fields_set:
            free = listen(HOST, 0)
            say(f"{settings.port} is taken; this demo is on {free.getsockname()[1]}.")
            return free
        taken = (
            "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        )
        raise CannotListen(
            f"Port {settings.port} {taken}. Ask for another with --port or PORT, or for a free one with --port 0."
        ) from error
