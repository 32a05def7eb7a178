"""Exit 0 while the server of this container answers for itself: what the image's HEALTHCHECK runs.

A market that is away, or rows that are spent, make /health answer 503, but no restart would mend them: those are for
alerts on /metrics. Unhealthy is a server that does not answer, that cannot read its database, or whose polls are late
for no such reason.
"""

from __future__ import annotations

import http.client
import json
import os
import sys

HEALTHY = ("ok", "starting", "quota_spent", "market_down", "misdated")
"""States of polling that are told by a server that works."""


def state(port: int) -> str:
    """What /health says of polling; raises OSError, HTTPException or ValueError where it says nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        document = json.loads(connection.getresponse().read())
        return str(document["status"]) if isinstance(document, dict) and "status" in document else "no state"
    finally:
        connection.close()


def main() -> int:
    """The exit code, with a line for `docker inspect`."""
    try:
        found = state(int(os.environ.get("PORT") or 8080))
    except (OSError, http.client.HTTPException, ValueError) as error:
        found = f"no answer ({type(error).__name__})"
    print(found)  # noqa: T201
    return 0 if found in HEALTHY else 1


if __name__ == "__main__":
    sys.exit(main())
