"""An application on a free port of loopback, served by a thread with a loop of its own: a test need not be async."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http.api import build_api, serve, stored_keys
from bot.faces.http.metrics import market_health
from bot.store.engine import open_store
from tests.fakes.stored import NOW


@asynccontextmanager
async def stored_application(file: Path) -> AsyncIterator[FastAPI]:
    """The API with every command, without keys, on the stored market, a minute after its last poll."""
    store = await open_store(f"sqlite:///{file}", writer=False)
    try:
        dispatcher = Dispatcher(store, COMMANDS, lambda: NOW + 60, home="Sao Paulo, BR")
        health = partial(market_health, dispatcher, polling=True)
        yield build_api(dispatcher, keys=stored_keys(dispatcher), health=health, require_key=False)
    finally:
        await store.close()


@contextmanager
def served(application: Callable[[], AbstractAsyncContextManager[FastAPI]]) -> Iterator[str]:
    """Serve what ``application`` builds; gives the address, without a slash at its end."""
    listening: Future[tuple[int, Callable[[], object]]] = Future()

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        end = partial(loop.call_soon_threadsafe, stop.set)
        async with application() as api:
            await serve(api, "127.0.0.1", 0, started=lambda port: listening.set_result((port, end)), stop=stop)

    with ThreadPoolExecutor(1, "site") as thread:
        work = thread.submit(lambda: asyncio.run(run()))
        wait((work, listening), return_when=FIRST_COMPLETED)
        if work.done():  # it never listened: its error is the test's
            work.result()
        port, end = listening.result()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            end()
            work.result()
