"""Slack's stand-in with admins: it knows none, and what only an admin may do could not be checked through it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_KEPT = ("content-type", "authorization", "accept")
_TOLD = ("content-type", "retry-after")


@contextmanager
def with_admin(url: str, admin: str) -> Iterator[str]:
    """The address of what hands everything on to the stand-in, and says of one person that they are an admin."""
    handler = type("Handler", (_HandsOn,), {"behind": urlsplit(url).netloc, "admin": admin})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def knowing(answer: bytes, admin: str) -> bytes:
    """An answer of ``users.info``, with what is said of the admin."""
    said = json.loads(answer)
    if (said.get("user") or {}).get("id") == admin:
        said["user"]["is_admin"] = True
    return json.dumps(said).encode()


class _HandsOn(BaseHTTPRequestHandler):
    behind = ""
    admin = ""

    def do_GET(self) -> None:
        self._hand_on()

    def do_POST(self) -> None:
        self._hand_on()

    def _hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kept = {name: self.headers[name] for name in _KEPT if name in self.headers}
        connection = http.client.HTTPConnection(self.behind, timeout=90)
        connection.request(self.command, self.path, body, kept)
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        if urlsplit(self.path).path.endswith("/users.info") and answer.status == 200:
            said = knowing(said, self.admin)
        self.send_response(answer.status)
        for name in _TOLD:
            if answer.headers[name]:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is told of single requests."""
