"""Templates to HTML: every text is escaped, and a name that a template lacks is an error."""

from __future__ import annotations

import functools
import secrets
from typing import Any

import jinja2


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bot.faces.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["form_name"] = lambda: secrets.token_urlsafe(16)
    return environment


def render(template: str, /, **values: Any) -> str:
    """The HTML of a template; ``words`` is called ``_`` in it, and ``form_name()`` is new each time."""
    return _environment().get_template(template).render(_=values.get("words"), **values)
