"""A sheet as a Slack modal: what it looks like, and what comes back.

It works after a restart: it carries its line.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.dispatch.forms import FilledForm, OpenForm
from bot.faces.slack.blocks import Block, blocks, clean, cut, sheet
from bot.presentation.card import Card
from bot.presentation.words import Words

CALLBACK = "spot_form"
"""What the modal of a sheet is known by."""

ANSWER = "spot_answer"
"""What the modal of an answer is known by."""

TITLE, BUTTON, LABEL, TEXT, METADATA, ERROR = 24, 24, 2000, 3000, 3000, 2000
"""Characters that Slack takes: of a modal's title and buttons, a field's label and text, what it carries, an error."""

_INPUT = "text"


@dataclass(frozen=True, slots=True)
class Submission:
    """A modal that was sent back, with where its answer goes."""

    filled: FilledForm
    channel: str
    answer_to: str
    seal: str


def form_view(opened: OpenForm, words: Words, *, channel: str, answer_to: str, key: str) -> dict[str, Any] | None:
    """The modal of a sheet, sealed with ``key``; None where it carries more than Slack takes."""
    parts = (opened.line, opened.version, channel, answer_to)
    carried = json.dumps([*parts, _seal(key, *parts)])
    if len(carried) > METADATA:
        return None
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": carried,
        "title": _plain(opened.command.name, TITLE),
        "submit": _plain(words("Save"), BUTTON),
        "close": _plain(words("Cancel"), BUTTON),
        "blocks": [
            {
                "type": "input",
                "block_id": field.name,
                "optional": not field.required,
                "label": _plain(words(field.label), LABEL),
                "hint": _plain(field.hint_in(words), LABEL),
                "element": {
                    "type": "plain_text_input",
                    "action_id": _INPUT,
                    "initial_value": cut(clean(field.text), TEXT),
                },
            }
            for field in opened.fields
        ],
    }


def answer_view(card: Card, words: Words) -> dict[str, Any]:
    """The modal of an answer, to be read and closed."""
    shown = sheet(replace(card, actions=()), words)
    return {
        "type": "modal",
        "callback_id": ANSWER,
        "title": _plain("spotbot", TITLE),
        "close": _plain(words("Close"), BUTTON),
        "blocks": blocks(shown, plainly=True),
    }


def read_submission(view: Mapping[str, Any]) -> Submission:
    """What came back; raises ValueError where it is not what a modal of ours carries."""
    carried = json.loads(str(view.get("private_metadata")))
    if not (isinstance(carried, list) and len(carried) == 5 and all(isinstance(part, str) for part in carried)):
        raise ValueError("a modal that carries something else")
    line, version, channel, answer_to, seal = carried
    values = (view.get("state") or {}).get("values") or {}
    texts = {name: str((block.get(_INPUT) or {}).get("value") or "") for name, block in values.items()}
    return Submission(FilledForm(line, version, texts), channel, answer_to, seal)


def is_sealed(sent: Submission, key: str) -> bool:
    """Whether what a modal carries is what was put into it with this key."""
    filled = sent.filled
    wanted = _seal(key, filled.line, filled.version, sent.channel, sent.answer_to)
    return hmac.compare_digest(wanted.encode(), sent.seal.encode())


def _seal(key: str, *parts: str) -> str:
    return hmac.new(key.encode(), json.dumps(parts).encode(), hashlib.sha256).hexdigest()


def first_field(view: Mapping[str, Any]) -> str:
    """The field beside which an error is shown."""
    return str(next((block["block_id"] for block in view.get("blocks") or () if block.get("type") == "input"), ""))


def error_text(text: str) -> str:
    """What is shown beside a field."""
    return cut(clean(text), ERROR)


def _plain(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": cut(clean(text), most), "emoji": False}
