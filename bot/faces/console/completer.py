"""What the prompt offers while somebody types, as prompt_toolkit asks for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

import structlog
from prompt_toolkit.completion import CompleteEvent, Completer
from prompt_toolkit.completion import Completion as Shown
from prompt_toolkit.document import Document

from bot.dispatch.completion import Completion
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.offers import KnownModels
from bot.faces.console.face import EXITS
from bot.store.errors import StoreError

log = structlog.get_logger()


class LineCompleter(Completer):
    """Completes the words before the cursor, with the models that were on the market a moment ago."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._known = KnownModels(dispatcher)
        self._completion = Completion(dispatcher.commands, dispatcher.catalog, ())

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Shown]:
        """What may stand there, the best first."""
        line = document.text_before_cursor
        for offer in self._completion.offers(line):
            yield Shown(offer.text, start_position=offer.start - len(line), display=offer.text)
        if EXITS[0].startswith(line.lower()):
            yield Shown(EXITS[0], start_position=-len(line))

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Shown, None]:
        """The same, after the models of the market were read where they are old."""
        try:
            known = await self._known.read()
        except StoreError as error:  # whoever types goes on with those that were read before
            log.debug("models not read", reason=str(error))
            known = self._known.models
        if known != self._completion.known:
            self._completion = Completion(self._completion.commands, self._completion.catalog, known)
        for shown in self.get_completions(document, complete_event):
            yield shown
