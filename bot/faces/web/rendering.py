"""Templates to HTML: every text is escaped, and a name that a template lacks is an error."""

from __future__ import annotations

import functools
from typing import Any

import jinja2


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("bot.faces.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, /, **values: Any) -> str:
    """The HTML of a template; ``words`` is called ``_`` in it."""
    return _environment().get_template(template).render(_=values.get("words"), **values)
