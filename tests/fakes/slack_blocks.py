"""Blocks as Slack reads them: what of them is seen, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

LIMITS = {"header": 150, "section": 3000, "context": 2000}
BLOCK_KINDS = {"header", "section", "context", "table", "rich_text", "image", "actions", "divider"}


def texts(part: Any) -> Iterator[str]:
    """Every text that a reader sees of blocks; the head of a table and its rows line by line."""
    if isinstance(part, list):
        for item in part:
            yield from texts(item)
    elif isinstance(part, dict):
        if part.get("type") == "table":
            yield from ("  ".join(cell["text"] for cell in row) for row in part["rows"])
            return
        if "alt_text" in part:
            yield str(part["alt_text"])
        if isinstance(part.get("text"), str):
            yield part["text"]
        for key in ("text", "elements"):
            if not isinstance(part.get(key), str):
                yield from texts(part.get(key))


def wrong_with(blocks: Any, most: int) -> str:
    """What Slack would refuse of blocks; nothing when all is well. Markup is none of our business: we send none."""
    if not isinstance(blocks, list) or len(blocks) > most:
        return f"no more than {most} items allowed"
    if sum(block.get("type") == "table" for block in blocks) > 1:
        return "only one table block is allowed"
    return next((reason for block in blocks if (reason := _wrong(block))), "")


PARSED = {"mrkdwn", "markdown", "user", "usergroup", "channel", "broadcast", "link", "emoji", "date", "color"}
"""Kinds of text objects and elements in which Slack reads more than the letters."""


def markup(body: dict[str, Any]) -> list[str]:
    """What Slack would read in a message as more than plain text: mentions, links, formats, emoji, directions."""
    found = re.findall(r"[<>]|&(?!amp;|lt;|gt;)", body["text"])
    found += [] if body.get("mrkdwn") is False else ["the text has markup"]
    for part in _objects(body["blocks"]):
        found += [str(part["type"])] if part.get("type") in PARSED else []
        found += ["emoji"] if part.get("type") == "plain_text" and part.get("emoji") is not False else []
        if "style" in part and not isinstance(part["style"], str) and part["style"] != {"code": True}:
            found.append(f"style {part['style']}")
    shown = [body["text"], *texts(body["blocks"])]
    return found + re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", "".join(shown))


def _objects(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for item in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _objects(item)


def _wrong(block: dict[str, Any]) -> str:
    kind = block.get("type")
    if kind not in BLOCK_KINDS:
        return f"unsupported type: {kind}"
    if kind in ("header", "section"):
        return _wrong_text(block["text"], LIMITS[kind])
    if kind == "context":
        return "".join(_wrong_text(element, LIMITS[kind]) for element in block["elements"])
    if kind == "table":
        cells = [cell for row in block["rows"] for cell in row]
        sizes = len(block["rows"]) > 100 or any(len(row) > 20 for row in block["rows"])
        return "bad table" if sizes or any(cell["type"] != "raw_text" or not cell["text"] for cell in cells) else ""
    if kind == "image":
        return "" if 0 < len(block["alt_text"]) <= 2000 and ("slack_file" in block) else "bad image"
    if kind == "actions":
        ids = [element["action_id"] for element in block["elements"]]
        long = any(len(element["value"]) > 2000 for element in block["elements"])
        return "bad actions" if len(set(ids)) < len(ids) or len(ids) > 25 or long else ""
    return ""


def _wrong_text(text: dict[str, Any], limit: int) -> str:
    if text["type"] != "plain_text" or not 0 < len(text["text"]) <= limit:
        return f"must be plain text of 1 to {limit} characters"
    return ""


def wrong_with_modal(view: dict[str, Any]) -> str:
    """What Slack would refuse of a modal of texts and of fields for text; nothing when all is well."""
    if (
        view.get("type") != "modal"
        or not 0 < len(view["blocks"]) <= 100
        or len(view.get("private_metadata", "")) > 3000
    ):
        return "bad modal"
    fields = [block for block in view["blocks"] if block.get("type") == "input"]
    heads = [view[name]["text"] for name in ("title", "close", *(("submit",) if fields else ()))]
    if not all(0 < len(text) <= 24 for text in heads):
        return "bad title"
    shown = wrong_with([block for block in view["blocks"] if block.get("type") != "input"], 100)
    return shown or next((reason for block in fields if (reason := _wrong_field(block))), "")


def _wrong_field(block: dict[str, Any]) -> str:
    element = block.get("element", {})
    if (block.get("type"), element.get("type")) != ("input", "plain_text_input"):
        return f"unsupported type: {block.get('type')}"
    named = 0 < len(block["block_id"]) <= 255 and 0 < len(element["action_id"]) <= 255
    labelled = all(0 < len(block[name]["text"]) <= 2000 for name in ("label", "hint"))
    return "" if named and labelled and len(element["initial_value"]) <= 3000 else "bad field"
