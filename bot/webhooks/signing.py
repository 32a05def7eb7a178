"""Secrets and signatures of webhooks, by the Standard Webhooks scheme (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
SECRET_BYTES = 32
"""Bytes of a secret (source: Standard Webhooks asks for 24 to 64)."""

ROTATION_S = 86_400
"""Seconds in which the secret before the newest one signs too (source: references/reliability.md, C2)."""


def new_secret() -> str:
    """A fresh secret, as it is shown to who adds an endpoint."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(keys: Sequence[str], message_id: str, at: int, body: bytes) -> Mapping[str, str]:
    """The headers of one attempt: the id, this attempt's UTC second, and a signature by each secret, newest first."""
    stamp = datetime.fromtimestamp(at, UTC)
    signatures = (Webhook(key).sign(message_id, stamp, body.decode()) for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signatures),
    }
