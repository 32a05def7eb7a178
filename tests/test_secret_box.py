"""What is sealed opens only with the key, and only where it belongs."""

from __future__ import annotations

import pytest

from bot.config import BadSettings, load_settings
from bot.secret_box import CannotOpen, SecretBox, new_key


def test_what_is_sealed_opens_again_and_hides_what_it_says() -> None:
    vault = SecretBox(new_key())
    sealed = vault.seal("slack:T1", {"bot_token": "xoxb-canary"})
    assert b"canary" not in sealed
    assert vault.open("slack:T1", sealed) == {"bot_token": "xoxb-canary"}


def test_it_opens_for_nothing_else() -> None:
    vault = SecretBox(new_key())
    sealed = vault.seal("slack:T1", {})
    for label, other, data in (
        ("slack:T2", vault, sealed),
        ("slack:T1", SecretBox(new_key()), sealed),
        ("slack:T1", vault, sealed[:-4] + b"AAAA"),
        ("slack:T1", vault, b"not sealed at all"),
    ):
        with pytest.raises(CannotOpen):
            other.open(label, data)


def test_a_new_key_in_front_still_opens_the_old_and_seals_anew() -> None:
    old, new = new_key(), new_key()
    sealed = SecretBox(old).seal("a", {"n": 1})
    both = SecretBox(f"{new}, {old}")
    assert both.open("a", sealed) == {"n": 1}
    assert SecretBox(new).open("a", both.reseal(sealed)) == {"n": 1}
    with pytest.raises(CannotOpen):
        SecretBox(new).reseal(sealed)


def test_a_bad_key_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOTBOT_SECRET_KEY", "hunter2")
    with pytest.raises(BadSettings, match="spotbot keys secret") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
