"""The pages as a running process serves them: for who signed in."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from bot.access import Quotas
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.web.key_tries import KeyTries
from bot.faces.web.sign_in import SignedIn, SignInPages
from bot.faces.web.site import Site
from bot.presentation.words import Words


def build_site(dispatcher: Dispatcher, url: str | None, quotas: Quotas | None = None) -> Site:
    """The pages, with those on which one signs in. ``url``: the public address, if any; ``quotas``: the API's."""
    visitors = SignedIn(dispatcher, secure=(url or "").startswith("https://"))
    site = Site(dispatcher, visitors, quotas=quotas or Quotas(time.monotonic))
    add_sign_in(site, visitors)
    return site


def add_sign_in(site: Site, visitors: SignedIn) -> None:
    """Serve the pages on which one signs in within a site's frame."""
    pages = SignInPages(visitors, KeyTries(time.monotonic), site.dispatcher.clock, partial(_shell, site))
    site.extra += [(path, methods, site.guarded(handler)) for path, methods, handler in pages.routes]


def _shell(site: Site, template: str, words: Words, /, **values: Any) -> str:
    return site.shell(template, None, words, **values)
