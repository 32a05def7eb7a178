"""`python -m benchmarks.screens`: the README's pictures of pages, from the demo as a new user would open it.

It runs `spotbot demo --shock`, walks through the first minute in Chromium, and writes docs/pages/*.png; the frames of
that minute go side by side into docs/pages/first-minute.png.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.processes import ROOT, free_port
from tests.browser.look import start_chromium

FOLDER = ROOT / "docs/pages"
WIDE, PHONE, HEIGHT = 1280, 390, 860
MESSAGE, MESSAGE_SCALE = 700, 1.5
"""Width of a window that shows one message, and how many pixels a point of it has."""
FRAME = 560
"""Width of a frame of the first minute."""
COLUMNS = 3
COLOURS = 256
"""Of a stored picture; pages have few."""


@dataclass
class Film:
    """Frames with what was done, and when."""

    began: float = field(default_factory=time.monotonic)
    frames: list[tuple[str, Image.Image]] = field(default_factory=list)

    def take(self, page: Page, what: str) -> None:
        second = round(time.monotonic() - self.began)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        self.frames.append((f"{second} s: {what}", picture))

    def save(self, file: Path) -> None:
        """All frames in rows, each with its words above it."""
        height = FRAME * HEIGHT // WIDE
        line, gap = 34, 12
        rows = -(-len(self.frames) // COLUMNS)
        sheet = Image.new("RGB", (COLUMNS * (FRAME + gap) + gap, rows * (height + line + gap) + gap), "#ffffff")
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(20)
        for n, (what, picture) in enumerate(self.frames):
            x, y = gap + n % COLUMNS * (FRAME + gap), gap + n // COLUMNS * (height + line + gap)
            draw.text((x, y + 4), what, fill="#16191d", font=font)
            sheet.paste(picture.resize((FRAME, height), Image.Resampling.LANCZOS), (x, y + line))
            draw.rectangle((x, y + line, x + FRAME - 1, y + line + height - 1), outline="#b6bec8")
        store(sheet, file)


def store(picture: Image.Image, file: Path) -> None:
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1e3:.0f} kB")


@contextmanager
def demo(*options: str, until: str) -> Iterator[tuple[str, str]]:
    """The demo's address, once it has said what ``until`` matches, and the first group of that."""
    port = free_port()
    command = [sys.executable, "-m", "bot", "demo", *options, "--port", str(port)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        try:
            assert process.stdout
            for line in process.stdout:
                if said := re.search(until, line):
                    break
            else:
                raise SystemExit("the demo ended")
            yield f"http://127.0.0.1:{port}", said[1].strip()
        finally:
            process.terminate()


def ask(page: Page, line: str) -> None:
    before = page.locator(".messages > li").count()
    page.fill(".say input[name=line]", line)
    page.press(".say input[name=line]", "Enter")
    page.wait_for_function("n => document.querySelectorAll('.messages > li').length >= n + 2", arg=before)
    page.wait_for_timeout(400)


def first_minute(page: Page, site: str, alert: str) -> None:
    film = Film()
    page.goto(site)
    film.take(page, "the demo opens on a chat")
    page.locator(".say input[name=line]").press_sequentially("predict RTX 40")
    page.wait_for_timeout(300)
    film.take(page, "a question, completed while it is typed")
    ask(page, "predict RTX 4090")
    film.take(page, "the answer, with its record")
    ask(page, alert)
    film.take(page, "an alert, with how often it would have fired")
    page.locator(".said.alert").first.wait_for(timeout=240_000)
    page.wait_for_timeout(600)
    film.take(page, "the price falls: the alert arrives")
    page.locator("#view-slack").check()
    page.wait_for_timeout(800)
    film.take(page, "the same as Slack shows it")
    store(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), FOLDER / "playground.png")
    page.goto(f"{site}/dash/market")
    page.locator("figure.chart canvas").first.wait_for()
    film.take(page, "the market at a glance")
    page.locator("[data-panel=prices] table a").first.click()
    page.locator("figure.chart canvas").first.wait_for()
    film.take(page, "one model: all ten answers")
    page.goto(f"{site}/questions/fleet?budget=500")
    page.wait_for_timeout(400)
    film.take(page, "a budget to slide")
    film.save(FOLDER / "first-minute.png")


def shoot(browser: Browser, address: str, name: str, *, width: int = WIDE, dark: bool = False) -> None:
    size = {"width": width, "height": HEIGHT if width == WIDE else 1500}
    context = browser.new_context(viewport=size, color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.goto(address)
    page.wait_for_timeout(800)
    store(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), FOLDER / f"{name}.png")
    context.close()


def discord(browser: Browser, site: str) -> None:
    """An answer as Discord shows it, dark."""
    context = browser.new_context(viewport={"width": WIDE, "height": HEIGHT}, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{site}/play")
    page.locator("#view-discord").check()
    ask(page, "savings RTX 4090 100h")
    page.wait_for_timeout(1500)
    store(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), FOLDER / "discord-dark.png")
    context.close()


def message(browser: Browser, site: str, platform: str, *, dark: bool) -> None:
    """One answer as a chat shows it, alone: drawn by the playground from what the platform would be sent."""
    theme = "dark" if dark else "light"
    context = browser.new_context(
        viewport={"width": MESSAGE, "height": 1600}, color_scheme=theme, device_scale_factor=MESSAGE_SCALE
    )
    page = context.new_page()
    page.goto(f"{site}/play")
    page.locator(f"#view-{platform}").check()
    ask(page, "predict RTX 4090")
    page.wait_for_timeout(1500)
    answer = page.locator(".said.spotbot").last.locator(f".as-{platform}")
    answer.locator("img").first.wait_for()
    answer.locator("details").evaluate_all("all => all.forEach(one => { one.hidden = true })")  # the JSON behind it
    store(Image.open(io.BytesIO(answer.screenshot())).convert("RGB"), FOLDER / f"{platform}-answer.png")
    context.close()


def dashboard(browser: Browser, site: str) -> None:
    """A dashboard's message as it stands in a channel of Slack."""
    context = browser.new_context(
        viewport={"width": MESSAGE, "height": 1600}, color_scheme="light", device_scale_factor=MESSAGE_SCALE
    )
    page = context.new_page()
    page.goto(f"{site}/play")
    page.locator("#view-slack").check()
    ask(page, "dashboard market here")
    shown = page.locator(".said.alert").last.locator(".as-slack")
    shown.locator("img").first.wait_for(timeout=60_000)
    page.wait_for_timeout(1500)
    shown.locator("details").evaluate_all("all => all.forEach(one => { one.hidden = true })")  # the JSON behind it
    store(Image.open(io.BytesIO(shown.screenshot())).convert("RGB"), FOLDER / "slack-dashboard.png")
    context.close()


def stills(browser: Browser, site: str) -> None:
    """Pictures of pages and answers, once all of the history is in."""
    discord(browser, site)
    dashboard(browser, site)
    message(browser, site, "slack", dark=False)
    message(browser, site, "discord", dark=True)
    shoot(browser, f"{site}/dash/market", "market")
    shoot(browser, f"{site}/dash/reliability", "reliability-dark", dark=True)
    shoot(browser, f"{site}/dash/cost", "cost")
    shoot(browser, f"{site}/gpu/RTX%204090", "model-phone", width=PHONE)
    shoot(browser, f"{site}/dash/market?kiosk=1", "kiosk-dark", dark=True)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = start_chromium(playwright)
        with demo("--shock", until=r"Type now.*: (alert .*)") as (site, alert):
            first_minute(browser.new_page(viewport={"width": WIDE, "height": HEIGHT}), site, alert)
        with demo(until="(All .*)") as (site, _):
            stills(browser, site)
        browser.close()


if __name__ == "__main__":
    main()
