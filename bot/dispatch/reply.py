"""One reply to one person in chat: whatever was asked and whatever happens, there is a card to show."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog

from analytics.errors import AskError
from analytics.evidence import Note
from bot.accounts import Asker
from bot.dispatch.command import SHOWN, Command, QueryContext, Request
from bot.dispatch.dispatcher import Answered, Dispatcher, OnSnapshot, Question, language_of
from bot.dispatch.forms import OpenForm
from bot.dispatch.why import explained, shortened, told_why
from bot.presentation.card import Action, Card
from bot.presentation.error_cards import busy_card, error_card, fault_card, slow_card
from bot.presentation.text import without_empty_columns
from bot.presentation.words import Words, is_language, pick_language
from bot.store.errors import StoreError

log = structlog.get_logger()

Came = TypeVar("Came")
Shown = TypeVar("Shown")

PATIENCE = 60
"""Seconds after which a person is told that the answer takes too long."""

LANGUAGE_PATIENCE = 2
"""Seconds more for looking up in which language to say so."""


UNKNOWN_LANGUAGE = "the language “{language}” of your settings or your profile is not known; answers come in “{used}”"

LONGEST_TAG = 35
"""Characters of a locale tag that are looked at (source: RFC 5646, 4.4.1)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What to show. ``line`` asks the same again and is empty where that makes no sense; ``answer``: the data shown."""

    card: Card
    words: Words
    line: str = ""
    answer: Any = None
    command: Command | None = None
    ok: bool = True


async def reply(
    dispatcher: Dispatcher,
    asker: Asker,
    question: Question,
    *,
    default: str,
    public: bool = False,
    request: Request | None = None,
) -> Reply:
    """The reply to a question; never raises. ``public``: in the team's language rather than the asker's.

    ``default``: the language where neither says one; ``request``: which one it is, where it may be sent twice. Faults
    are logged under the id that the person is shown.
    """

    async def work(on_snapshot: OnSnapshot) -> Answered:
        return await dispatcher.answer(question, asker, request=request, default=default, on_snapshot=on_snapshot)

    return await _guarded(dispatcher, asker, default, work, _shown, public=public)


async def form(dispatcher: Dispatcher, asker: Asker, line: str, *, default: str) -> tuple[OpenForm, Words] | Reply:
    """The sheet that a line opens, or the reply that says why there is none; never raises."""

    async def work(on_snapshot: OnSnapshot) -> OpenForm:
        return await dispatcher.open_form(line, asker, default=default, on_snapshot=on_snapshot)

    return await _guarded(dispatcher, asker, default, work, lambda opened, words: (opened, words))


def card_of(answered: Answered, words: Words) -> Card:
    """The answer's card, which says first how the question was taken."""
    card = without_empty_columns(answered.command.card(answered.answer, words))
    actions = tuple(
        _completed(action, answered.line) for action in card.actions if answered.line or not action.continues
    )
    card = replace(card, actions=actions)
    if answered.why:
        card = explained(card, answered.answer, words)
    else:
        card = shortened(card, answered.answer, answered.line, words)
    return replace(card, notes=(*map(words, answered.remarks), *card.notes))


def _completed(action: Action, asked: str) -> Action:
    return replace(action, line=f"{asked} {action.line}", continues=False) if action.continues else action


def _shown(answered: Answered, words: Words) -> Reply:
    line = told_why(answered.line) if answered.why and answered.line else answered.line
    return Reply(card_of(answered, words), words, line, answered.answer, answered.command)


async def _guarded(
    dispatcher: Dispatcher,
    asker: Asker,
    default: str,
    work: Callable[[OnSnapshot], Awaitable[Came]],
    show: Callable[[Came, Words], Shown],
    *,
    public: bool = False,
) -> Shown | Reply:
    """What came of some work, shown in the asker's language; or a card that says what went wrong."""
    words = Words(pick_language(asker.chosen, pick_language(asker.locale, default)), dispatcher.clock())

    def choose_language(query: QueryContext) -> None:
        nonlocal words
        words = Words(_language(query, asker, default, public=public), dispatcher.clock())
        if not public:
            query.remarks.extend(_unknown_languages(query, asker, words.language))

    try:
        async with asyncio.timeout(PATIENCE):
            came = await work(choose_language)
        return show(came, words)
    except AskError as error:
        return Reply(error_card(error, words), words, ok=False)
    except TimeoutError:
        with suppress(Exception):  # it may have waited for its turn in vain, and the language is not known then
            async with asyncio.timeout(LANGUAGE_PATIENCE), dispatcher.query_context(asker) as query:
                choose_language(query)
        return Reply(slow_card(words), words, ok=False)
    except StoreError as error:
        log.warning("store refused", error=str(error))
        return Reply(busy_card(words), words, ok=False)
    except Exception:  # the edge of a face: a person must hear something, and the log must hold it all
        identity = secrets.token_hex(4)
        log.exception("answer failed", id=identity)
        return Reply(fault_card(identity, words), words, ok=False)


def _language(query: QueryContext, asker: Asker, default: str, *, public: bool) -> str:
    if public:
        return pick_language(query.team.language, default)
    return language_of(asker, query.own, query.team, default)


def _unknown_languages(query: QueryContext, asker: Asker, used: str) -> Iterator[Note]:
    """What is to be said of tags that name no language. Of a language that is only not on offer, nothing."""
    for tag in (query.own.language, asker.locale):
        if tag and pick_language(tag, ""):
            return
        if tag and not is_language(tag[:LONGEST_TAG]):
            yield Note(UNKNOWN_LANGUAGE, {"language": tag[:SHOWN], "used": used})


def actions(words: Words, line: str, *, number: int = 0, count: int = 1, shared: bool = False) -> tuple[Action, ...]:
    """What can be done with every answer that a line asks for: share it, ask again, turn its pages.

    ``shared``: everybody sees it already.
    """
    if not line:
        return ()
    shown = [] if shared else [Action(words("Share to channel"), line, place="everybody", page=number)]
    shown.append(Action(words("Refresh"), line, place="here", page=number))
    if number > 0:
        shown.append(Action(words("Previous"), line, place="here", page=number - 1))
    if number < count - 1:
        shown.append(Action(words("Next"), line, place="here", page=number + 1))
    return tuple(shown)
