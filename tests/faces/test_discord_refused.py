"""What Discord refuses or loses of an answer: a picture costs no text, a person hears, and nothing is shared twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from structlog.testing import capture_logs

from tests.fakes.discord import EPHEMERAL
from tests.fakes.discord_house import Guild, plain

ROOT = Path(__file__).parents[2]

REFUSALS = [(413, 40005), (403, 50013), (400, 50035), (400, 20009), (413, 0)]
"""Too large, no files here, a bad form, a picture that a filter does not like; and the edge, which gives no code."""


@pytest.mark.parametrize(("status", "code"), REFUSALS)
async def test_an_answer_whose_picture_is_refused_goes_without_it(server: Guild, status: int, code: int) -> None:
    server.discord.fail("@original", method="PATCH", status=status, code=code)
    with capture_logs():
        asked = await server.ask("history 4090")
    assert asked.original is not None
    assert "RTX 4090" in plain(asked.original)
    assert asked.original["attachments"] == []
    assert any(mark in plain(asked.original) for mark in "▁▂▃▄▅▆▇█")  # what the picture would have shown
    assert "image" not in asked.original["embeds"][0]


@pytest.mark.parametrize(("status", "code"), REFUSALS)
async def test_what_is_shared_goes_without_its_refused_picture(server: Guild, status: int, code: int) -> None:
    asked = await server.ask("history 4090")
    assert asked.original is not None
    server.discord.fail(r"/webhooks/\d+/[^/]+$", method="POST", status=status, code=code)
    with capture_logs():
        clicked = await server.press(asked.original, "spot:share")
    [shared] = clicked.followups
    assert not shared["flags"] & EPHEMERAL
    assert shared["attachments"] == []


async def test_a_message_without_pictures_that_is_refused_is_a_fault_that_is_told(server: Guild) -> None:
    server.discord.fail("@original", method="PATCH", status=400, code=50035)
    with capture_logs():
        asked = await server.ask("monitor 4090")
    assert asked.original is not None
    assert len(server.discord.sent("@original", "PATCH")) == 2


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_what_is_shared_is_not_sent_again_and_the_asker_hears_of_the_doubt(server: Guild, lost: str) -> None:
    asked = await server.ask("monitor 4090")
    assert asked.original is not None
    server.discord.fail(r"/webhooks/\d+/[^/]+$", method="POST", status=200, lost=lost)
    with capture_logs():
        clicked = await server.press(asked.original, "spot:share")
    *shared, told = clicked.followups
    assert len(shared) == (lost == "after")
    assert told["flags"] & EPHEMERAL
    assert "not known whether that was shared" in plain(told)


async def test_what_is_told_to_a_person_is_sent_again_when_it_was_lost(server: Guild) -> None:
    asked = await server.ask("tell")
    assert asked.original is not None
    server.discord.fail(r"/webhooks/\d+/[^/]+$", method="POST", status=200, lost="before")
    with capture_logs():
        clicked = await server.press(asked.original, "spot:run:tell")
    [told] = clicked.followups
    assert "done for a" in plain(told)


def test_every_text_of_the_face_is_translated() -> None:
    source = (ROOT / "bot/faces/discord/responder.py").read_text(encoding="utf-8")
    said = {text for _, text in re.findall(r"""(?:words\(|_not_shared\(interaction, )\s*(['"])(.+?)\1""", source)}
    assert {"Not shared", "You may not write in this channel.", "This command has changed"} <= said
    known = set()
    for file in (ROOT / "bot/presentation/locales/pt_BR/LC_MESSAGES").glob("*.po"):
        with file.open("rb") as text:
            known |= {str(entry.id) for entry in read_po(text, locale="pt_BR") if entry.string}
    assert said <= known
