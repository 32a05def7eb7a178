"""The page at ``/``: what can be asked, with addresses to try. Self-contained, without script, every text escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote, urlencode

from analytics.errors import AskError
from bot.dispatch.command import Command
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.grammar import ReadLine
from bot.presentation.words import Words

STYLE = (
    ":root{color-scheme:light dark;background:Canvas}"  # on the body alone it would leave the page behind it white
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}"
    "dt{margin-top:1rem}dd{margin:0}code{font-size:.9em;overflow-wrap:anywhere}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: its own style by hash, nothing else."""


async def page(dispatcher: Dispatcher, words: Words, *, require_key: bool, also: Sequence[str] = ()) -> str:
    """The page in the reader's language. ``also``: paths beside the questions that are served here."""
    items = []
    read = await dispatcher.line_reader()
    for command in dispatcher.commands:
        if command.path is None or not command.shared:
            continue
        links = "".join(f"<dd>{_link(address)}</dd>" for address in addresses(read, command.examples))
        items.append(
            f"<dt>{escape(words(command.summary))}</dt>{links or f'<dd><code>{escape(command.path)}</code></dd>'}"
        )
    key = (
        [words("Send your key with each question: {header}", header="Authorization: Bearer spot_…")]
        if require_key
        else []
    )
    lead = " ".join([words("Questions to the GPU spot market, each with an address to try."), *key])
    beside = " · ".join(_link(path) for path in (*also, "/openapi.json", "/health", "/metrics"))
    return (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8"><title>spotbot</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><h1>spotbot</h1>'
        f"<p>{escape(lead)}</p><dl>{''.join(items)}</dl><p>{beside}</p></body></html>\n"
    )


def addresses(read: ReadLine, examples: Sequence[str]) -> list[str]:
    """Each example line of a command as path and query; one that cannot be read today is left out."""
    found = []
    for line in examples:
        try:
            found.append(_address(*read(line)))
        except (AskError, KeyError):
            continue
    return found


def _address(command: Command, given: Mapping[str, str]) -> str:
    """Raises KeyError when a place of the path is not given."""
    template = command.path or ""
    path = template.format_map({name: quote(text, safe="") for name, text in given.items()})
    rest = {name: text for name, text in given.items() if f"{{{name}}}" not in template}
    return f"{path}?{urlencode(rest, quote_via=quote)}" if rest else path


def _link(address: str) -> str:
    return f'<a href="{escape(address)}"><code>{escape(address)}</code></a>'
