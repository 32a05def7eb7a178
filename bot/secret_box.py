"""Encryption at rest: other people's tokens are stored sealed, and opened only to be used."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class CannotOpen(Exception):
    """What is sealed was sealed with another key, or is not what it is taken for."""


class SecretBox:
    """Seals and opens small documents. ``keys``: one or more Fernet keys, comma-separated; the first one seals.

    Each document is bound to what it is about: the ``label`` is sealed in and must be given again to open it, so that
    a sealed token moved to another workspace's row opens nothing. Raises ValueError when a key is not a Fernet key.
    """

    def __init__(self, keys: str) -> None:
        self._fernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",") if key.strip()])

    def seal(self, label: str, document: Mapping[str, Any]) -> bytes:
        """The document, encrypted."""
        return self._fernet.encrypt(json.dumps([label, document]).encode())

    def open(
        self,
        label: str,
        sealed: bytes,
        *,
        ttl: int | None = None,
        is_earlier: Callable[[str], bool] = lambda label: False,
    ) -> dict[str, Any]:
        """The document again; raises CannotOpen. ``ttl``: refuse what was sealed more seconds ago.

        ``is_earlier``: whether a label is another one that the same thing had before.
        """
        try:
            found, document = json.loads(self._fernet.decrypt(sealed, ttl))
        except InvalidToken:
            raise CannotOpen(
                "SPOTBOT_SECRET_KEY does not open what is stored: was it changed? Put the old key behind a comma."
            ) from None
        if found != label and not (isinstance(found, str) and is_earlier(found)):
            raise CannotOpen(f"what is stored for {label} belongs elsewhere")
        return dict(document)

    def reseal(self, sealed: bytes) -> bytes:
        """The same, sealed with the first key; raises CannotOpen."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise CannotOpen("no key in SPOTBOT_SECRET_KEY opens what is stored") from None


def new_key() -> str:
    """A fresh key for SPOTBOT_SECRET_KEY."""
    return Fernet.generate_key().decode()
