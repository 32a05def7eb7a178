"""A thing that is asked for twice is done once."""

from bot.dispatch.deduplicator import Deduplicator


def test_a_key_is_first_once_until_its_time_is_over() -> None:
    now = 0.0
    once = Deduplicator(10, timer=lambda: now)
    assert [once.first("a"), once.first("a"), once.first("b")] == [True, False, True]
    now = 9.9
    assert not once.first("a")
    now = 10.0
    assert once.first("a")


def test_it_does_not_grow_for_ever() -> None:
    once = Deduplicator(10, room=3, timer=lambda: 0.0)
    assert all(once.first(str(n)) for n in range(100))
    assert not once.first("99")
    assert [once.first(str(n)) for n in (97, 98, 96)] == [False, False, True]


def test_what_was_not_done_may_be_asked_for_again() -> None:
    once = Deduplicator(10, timer=lambda: 0.0)
    assert once.first("a")
    once.forget("a")
    once.forget("never seen")
    assert [once.first("a"), once.first("a")] == [True, False]
