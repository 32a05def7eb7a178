"""The gallery: each picture drawn once, in another process, and no answer that waits for a picture in vain."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.fair_queue import Waiter
from bot.presentation.card import Bar, Bars
from bot.presentation.chart import png
from bot.presentation.gallery import Gallery
from tests.fakes.pictures import counted, troubled

ROOT = Path(__file__).resolve().parents[2]


def chart(title: str, alt: str | Path = "") -> Bars:
    return Bars(title, str(alt), (Bar("a", 1.0),))


Open = Callable[..., Gallery]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    galleries: list[Gallery] = []

    def make(**options: object) -> Gallery:
        galleries.append(Gallery(**options))  # type: ignore[arg-type]
        return galleries[-1]

    yield make
    for gallery in galleries:
        await gallery.close()
    # a pool joins its process in a thread of its own: until that is done, join() here returns at once
    for _ in range(3_000):
        if not multiprocessing.active_children():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"still running: {multiprocessing.active_children()}")


async def test_equal_requests_are_drawn_once_and_kept(opened: Open, tmp_path: Path) -> None:
    gallery, file = opened(draw=counted), tmp_path / "drawn"
    at_once = await asyncio.gather(*(gallery.png(chart("a", file)) for _ in range(5)))
    assert at_once == [b"a en light"] * 5
    assert await gallery.png(chart("a", file)) == b"a en light"
    assert await gallery.png(chart("a", file), language="pt-BR", theme="dark") == b"a pt-BR dark"
    assert file.read_text() == "a en light\na pt-BR dark\n"


async def test_nobody_waits_for_all_the_pictures_of_another(opened: Open, tmp_path: Path) -> None:
    gallery, file = opened(draw=counted), tmp_path / "drawn"
    ana, bob = Waiter("team", "ana"), Waiter("other team", "bob")
    many = [asyncio.create_task(gallery.png(chart(f"ana {n}", file), waiter=ana)) for n in range(9)]
    await asyncio.sleep(0)
    assert await gallery.png(chart("bob", file), waiter=bob)
    await asyncio.gather(*many)
    assert "bob en light" in file.read_text().splitlines()[:3]


async def test_a_picture_that_waits_too_long_for_others_is_not_drawn(opened: Open) -> None:
    gallery = opened(draw=troubled, patience=0.01)
    with capture_logs() as logs:
        assert await asyncio.gather(*(gallery.png(chart("hang", str(n))) for n in range(2))) == [None, None]
    assert sorted(line["reason"] for line in logs) == ["it took too long", "others were drawn first"]


async def test_the_newest_pictures_are_kept(opened: Open, tmp_path: Path) -> None:
    gallery, file = opened(draw=counted, kept=2), tmp_path / "drawn"
    for title in ("a", "b", "a", "c", "a", "b"):
        await gallery.png(chart(title, file))
    assert [line[0] for line in file.read_text().splitlines()] == ["a", "b", "c", "b"]


async def test_who_stops_waiting_does_not_take_the_picture_from_the_others(opened: Open, tmp_path: Path) -> None:
    gallery, file = opened(draw=counted), tmp_path / "drawn"
    leaves, stays = (asyncio.create_task(gallery.png(chart("a", file))) for _ in range(2))
    await asyncio.sleep(0)
    leaves.cancel()
    assert await stays == b"a en light"
    assert file.read_text() == "a en light\n"


async def test_what_cannot_be_drawn_is_none_told_once_and_harms_nobody(opened: Open) -> None:
    gallery = opened(draw=troubled)
    with capture_logs() as logs:
        first = await gallery.png(chart("ok"))
        assert await asyncio.gather(*(gallery.png(chart("fail")) for _ in range(3))) == [None] * 3
    assert [(entry["event"], entry["title"]) for entry in logs] == [("picture_lost", "fail")]
    assert await gallery.png(chart("again")) == first  # the process lives on


async def test_when_the_process_ends_there_is_a_new_one(opened: Open) -> None:
    gallery = opened(draw=troubled)
    first = await gallery.png(chart("ok"))
    with capture_logs() as logs:
        assert await gallery.png(chart("die")) is None
    assert [entry["reason"] for entry in logs] == ["the drawing process ended"]
    second = await gallery.png(chart("ok again"))
    assert second is not None
    assert second != first


async def test_a_drawing_that_hangs_is_given_up_and_its_process_ends(opened: Open) -> None:
    gallery = opened(draw=troubled, patience=0.01)
    with capture_logs() as logs:
        assert await gallery.png(chart("hang")) is None
    assert [entry["reason"] for entry in logs] == ["it took too long"]
    # that no process is left is seen when the gallery closes


async def test_a_closed_gallery_draws_nothing_more(opened: Open, tmp_path: Path) -> None:
    gallery, file = opened(draw=counted), tmp_path / "drawn"
    kept = await gallery.png(chart("a", file))
    await gallery.close()
    await gallery.close()
    assert await gallery.png(chart("a", file)) == kept
    assert await gallery.png(chart("b", file)) is None
    assert multiprocessing.active_children() == []


async def test_closing_leaves_nobody_waiting(opened: Open, tmp_path: Path) -> None:
    gallery, file = opened(draw=counted), tmp_path / "drawn"
    waiting = [asyncio.create_task(gallery.png(chart(str(n), file))) for n in range(9)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await gallery.close()
    pictures = await asyncio.gather(*waiting)
    assert None in pictures


APART = """
import asyncio, sys
from bot.presentation.card import Bar, Bars
from bot.presentation.gallery import Gallery

async def main():
    gallery = Gallery()
    picture = await gallery.png(Bars("title", "alt", (Bar("a", 1.0), Bar("b", 2.0))), language="pt-BR", theme="dark")
    await gallery.close()
    assert "matplotlib" not in sys.modules
    sys.stdout.buffer.write(picture)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_matplotlib_is_loaded_only_where_it_draws(tmp_path: Path) -> None:
    file = tmp_path / "apart.py"
    file.write_text(APART)
    command = [sys.executable, "-W", "error", str(file)]
    found = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=120)
    assert found.stderr == b""
    same = Bars("title", "alt", (Bar("a", 1.0), Bar("b", 2.0)))
    assert found.stdout == png(same, language="pt-BR", theme="dark")
