"""What a profile or the store says of somebody and cannot be followed is passed over; what is typed is refused."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.accounts import Asker, Preferences
from bot.alerts.quiet import Quiet
from bot.commands import COMMANDS
from bot.dispatch.command import UNKNOWN_ZONE
from bot.dispatch.dispatcher import UNKNOWN_MODEL, Dispatcher
from bot.dispatch.reply import UNKNOWN_LANGUAGE, Reply, reply
from bot.presentation.words import Words
from bot.store.engine import open_store
from tests.fakes.stored import NOW

ZONE = "the time zone “{}” of your settings or your profile is not known; times are in {}"


@pytest.fixture
async def asked(market_file: Path, tmp_path: Path) -> AsyncIterator[Dispatcher]:
    shutil.copy(market_file, tmp_path / "profiles.db")
    store = await open_store(f"sqlite:///{tmp_path / 'profiles.db'}", writer=True)
    yield Dispatcher(store, COMMANDS, lambda: NOW + 60)
    await store.close()


async def say(asked: Dispatcher, line: str, default: str = "en", **profile: str) -> Reply:
    return await reply(asked, Asker("slack", "T1", "U1", "C1", **profile), line, default=default)  # type: ignore[arg-type]


async def stored(asked: Dispatcher, **preferences: object) -> None:
    async with asked.store.writer() as writer:
        await writer.save_preferences("slack", "T1", "U1", Preferences(**preferences))  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", ["Mars/Phobos", "America", "../../etc/passwd", "x" * 5000, "a\x00b", " "])
async def test_an_unknown_zone_of_a_profile_is_utc_and_is_said(asked: Dispatcher, zone: str) -> None:
    found = await say(asked, "windows 4090", tz=zone)
    assert found.ok
    assert "UTC" in found.card.title
    assert ZONE.format(zone[:40], "UTC") in found.card.notes


async def test_an_unknown_stored_zone_gives_way_to_that_of_the_profile(asked: Dispatcher) -> None:
    await stored(asked, tz="Mars/Phobos")
    found = await say(asked, "windows 4090", tz="America/Sao_Paulo")
    assert "America/Sao_Paulo" in found.card.title
    assert ZONE.format("Mars/Phobos", "America/Sao_Paulo") in found.card.notes


async def test_a_known_zone_needs_no_note_and_an_unknown_one_none_where_no_time_is_told(asked: Dispatcher) -> None:
    for line, zone in (("windows 4090", "Asia/Tokyo"), ("monitor 4090", "Mars/Phobos")):
        assert not any("time zone" in note for note in (await say(asked, line, tz=zone)).card.notes)


async def test_a_typed_zone_that_is_unknown_is_refused(asked: Dispatcher) -> None:
    for line in ("windows 4090 tz=Mars/Phobos", "settings me tz=Mars/Phobos", "alert 4090 < 0.3 quiet=22-8 tz=Mars/X"):
        found = await say(asked, line, tz="Asia/Tokyo")
        assert not found.ok
        assert "no time zone of that name" in found.card.lead


async def test_quiet_hours_of_a_profile_without_a_known_zone_are_in_utc(asked: Dispatcher) -> None:
    found = await say(asked, "alert 4090 < 0.3 quiet=22:00-08:00", tz="Mars/Phobos")
    assert found.ok
    assert ZONE.format("Mars/Phobos", "UTC") in found.card.notes
    assert (await say(asked, "alert show", tz="Mars/Phobos")).ok


def test_quiet_hours_that_were_stored_with_a_zone_that_is_no_more_are_in_utc() -> None:
    gone, utc = (Quiet(22 * 60, 8 * 60, zone) for zone in ("Mars/Phobos", "UTC"))
    assert [gone.ends(at) for at in (NOW, NOW + 43_200)] == [utc.ends(at) for at in (NOW, NOW + 43_200)]


async def test_a_stored_zone_that_is_unknown_keeps_no_other_setting_from_being_changed(asked: Dispatcher) -> None:
    await stored(asked, tz="Mars/Phobos", home="Nowhere, XX")
    assert (await say(asked, "settings me language=pt-BR")).ok


async def test_settings_do_not_show_an_unknown_zone_as_what_holds(asked: Dispatcher) -> None:
    found = await say(asked, "settings", tz="Mars/Phobos")
    cells = [cell for table in found.card.tables for row in table.rows for cell in row]
    assert "UTC" in cells
    assert "Mars/Phobos" not in cells
    assert any("“Mars/Phobos”" in note for note in found.card.notes)


async def test_a_stored_model_that_is_unknown_is_left_out_and_is_said(asked: Dispatcher) -> None:
    await stored(asked, gpus=("RTX 0001", "RTX 4090"))
    note = "the model “RTX 0001” of your settings is not known any more; it was left out"
    for line in ("monitor", "windows"):
        found = await say(asked, line)
        assert found.ok
        assert note in found.card.notes


@pytest.mark.parametrize("locale", ["tlh", "xx-Klingon", "☃", "x" * 5000])
async def test_a_locale_that_names_no_language_is_the_default_and_is_said(asked: Dispatcher, locale: str) -> None:
    found = await say(asked, "monitor 4090", default="pt-BR", locale=locale)
    assert found.ok
    assert found.words.language == "pt-BR"
    assert any("não é conhecido" in note and "“pt-BR”" in note for note in found.card.notes)


async def test_a_language_that_is_only_not_on_offer_needs_no_note(asked: Dispatcher) -> None:
    for locale in ("de", "es-419", "zh-CN", "pt-PT", "en-GB"):
        assert not any("language" in note for note in (await say(asked, "monitor 4090", locale=locale)).card.notes)


async def test_a_stored_language_that_is_unknown_gives_way_to_that_of_the_profile(asked: Dispatcher) -> None:
    await stored(asked, language="xx")
    assert (await say(asked, "monitor 4090", locale="pt-BR")).words.language == "pt-BR"


def test_what_is_said_of_it_is_translated() -> None:
    portuguese = Words("pt-BR", 0)
    assert all(portuguese(text) != text for text in (UNKNOWN_ZONE, UNKNOWN_MODEL, UNKNOWN_LANGUAGE))
