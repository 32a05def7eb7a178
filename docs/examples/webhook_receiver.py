"""A receiver of spotbot's webhooks: verifies, answers the challenge, processes each event once.

    pip install standardwebhooks
    WEBHOOK_SECRET=whsec_... python webhook_receiver.py [PORT] [FILE]

Put it behind a proxy that speaks https. Until WEBHOOK_SECRET is set it answers challenges and refuses everything else.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from standardwebhooks import Webhook

MOST = 1 << 20
"""Bytes of an event that are read."""

SILENCE_S = 10
"""Seconds after which a client that says nothing is let go."""


class Inbox:
    """The ids of the events that were processed, in SQLite, so that a restart forgets none."""

    def __init__(self, file: str) -> None:
        self._db = sqlite3.connect(file)
        self._db.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)")

    def process(self, name: str, event: dict[str, Any]) -> bool:
        """Process an event unless it was; gives whether it is new. If processing fails, the id is not kept."""
        with self._db:  # one transaction: do your own writes in it too
            new = self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (name,)).rowcount == 1
            if new:
                print(event["timestamp"], event["type"], json.dumps(event["data"], ensure_ascii=False), flush=True)
        return new


class Handler(BaseHTTPRequestHandler):
    """Answers one event; any answer but 2xx makes spotbot send it again later."""

    timeout = SILENCE_S
    inbox: Inbox
    secret: str

    def do_POST(self) -> None:
        """Verify the bytes as they came, before anything reads them."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MOST:
            return self._answer(413 if length.isdigit() else 411)
        body = self.rfile.read(int(length))
        try:
            event = self._verified(body)
        except Exception:  # whatever is wrong with it: it is not from spotbot
            return self._answer(401)
        if event["type"] == "webhook.challenge":
            return self._answer(200, event["data"]["challenge"])
        if not self.inbox.process(self.headers["webhook-id"], event):
            print("known already:", self.headers["webhook-id"], flush=True)
        return self._answer(200)

    def _verified(self, body: bytes) -> dict[str, Any]:
        if self.secret:
            event = Webhook(self.secret).verify(body, dict(self.headers))
        else:
            event = json.loads(body)
            if event["type"] != "webhook.challenge":
                raise ValueError("no secret yet")
        return {**event}

    def _answer(self, status: int, text: str = "") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Only what was refused."""
        if len(args) > 1 and not str(args[1]).startswith("2"):
            print("refused:", args[1], flush=True)


def main() -> None:
    """Serve on loopback until stopped."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    Handler.inbox = Inbox(sys.argv[2] if len(sys.argv) > 2 else "webhooks.db")
    Handler.secret = os.environ.get("WEBHOOK_SECRET", "")
    server = HTTPServer(("127.0.0.1", port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
