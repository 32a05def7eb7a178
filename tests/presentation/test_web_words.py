"""Every text of the pages is translated: those in templates, and the names of pages."""

from __future__ import annotations

from pathlib import Path

from babel.messages.extract import extract_from_dir

from bot.faces.web.pages import PAGES
from bot.faces.web.things import THINGS
from bot.presentation.words import _catalogue

FOLDER = Path(__file__).parents[2] / "bot/faces/web"


def test_every_text_of_the_pages_is_translated() -> None:
    found = extract_from_dir(str(FOLDER), [("templates/**.html", "jinja2")], {"**": {"trimmed": "true"}})
    texts = {message for _, _, message, _, _ in found}
    assert len(texts) > 10, "nothing was found: the templates are looked for in the wrong place"
    texts |= {text for page in PAGES for text in (page.title, page.summary)}
    texts |= {text for things in THINGS for text in things.texts}
    assert sorted(text for text in texts if text not in _catalogue("pt_BR")) == []
