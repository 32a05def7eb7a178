"""What is installed without extras does all but charts and forecasts, and says what would bring those."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.cli.doctor import doctor
from bot.config import load_settings
from bot.extras import CHARTS, EXTRAS, FORECASTS, tell_if_missing
from bot.presentation.card import Lines
from bot.presentation.gallery import Gallery
from tests.fakes.lacking import OF_EXTRAS, python_without
from tests.fakes.stored import NOW
from tests.fakes.vast import FakeVast, offer_row

IMPORT_ALL = """
import importlib, pkgutil, sys, bot
drawing = {f"bot.presentation.chart_{name}" for name in ("bars", "heat", "lines", "page")}
for found in pkgutil.walk_packages(bot.__path__, "bot."):
    if found.name not in drawing and found.name != "bot.__main__" and ".migrations" not in found.name:
        importlib.import_module(found.name)
print(*sorted({name.partition(".")[0] for name, module in sys.modules.items() if module is not None}))
"""
"""Of the modules that draw, each is imported by a drawing only."""

REFRESH_ANEW = """
import asyncio, sys
from bot.forecasts import refresh
from bot.store.engine import open_store

async def work(url, now):
    store = await open_store(url, writer=True)
    issued = await refresh(store, now, anew=True)
    async with store.reader() as reader:
        print(issued, await reader.profiles_fitted_at())
    await store.close()

if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
"""


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, what looks for the packages does not find them."""
    for name in OF_EXTRAS:
        monkeypatch.setitem(sys.modules, name, None)


def test_no_module_of_the_program_needs_an_extra_to_be_imported(tmp_path: Path) -> None:
    done = python_without(tmp_path, OF_EXTRAS, "-W", "ignore", "-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    assert "bot" in done.stdout.split()


def test_no_module_of_the_program_imports_an_extra_that_is_there(tmp_path: Path) -> None:
    done = python_without(tmp_path, (), "-W", "ignore", "-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    assert not {*OF_EXTRAS, "IPython"} & set(done.stdout.split())


def test_a_chart_that_cannot_be_drawn_names_the_extra(tmp_path: Path, market_file: Path) -> None:
    arguments = ("-m", "bot", "chart", "history RTX 4090", "a.png")
    done = python_without(tmp_path, OF_EXTRAS, *arguments, DATABASE_URL=f"sqlite:///{market_file}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "“charts”" in done.stderr
    assert "pip install '.[charts]'" in done.stderr
    assert not (tmp_path / "a.png").exists()


def test_a_backtest_that_cannot_be_run_names_the_extra(tmp_path: Path, market_file: Path) -> None:
    done = python_without(tmp_path, OF_EXTRAS, "-m", "bot", "backtest", DATABASE_URL=f"sqlite:///{market_file}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install '.[forecasts]'" in done.stderr


def test_the_hourly_run_fits_the_week_and_leaves_forecasts_as_they_are(tmp_path: Path, market_file: Path) -> None:
    shutil.copy(market_file, tmp_path / "copy.db")
    (tmp_path / "run.py").write_text(REFRESH_ANEW, encoding="utf-8")
    later = NOW + 60
    done = python_without(tmp_path, OF_EXTRAS, "run.py", f"sqlite:///{tmp_path / 'copy.db'}", str(later))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", str(later)]


def test_a_question_that_needs_forecasts_says_what_is_missing(tmp_path: Path, market_file: Path) -> None:
    """In either language, and only where it is missing; the stored prices are old by now."""
    asked = ("-m", "bot", "ask", "--json", "predict RTX 4090")
    url = f"sqlite:///{market_file}"
    lacking = python_without(tmp_path, OF_EXTRAS, *asked, DATABASE_URL=url)
    assert lacking.returncode == 3
    assert "pandas, scikit-learn (spotbot’s extra “forecasts”)" in json.loads(lacking.stdout)["need"]
    translated = python_without(tmp_path, OF_EXTRAS, *asked[:3], asked[4], "--lang", "pt", DATABASE_URL=url)
    assert "que falta aqui: pandas" in " ".join(translated.stderr.split())
    assert "pandas" not in python_without(tmp_path, (), *asked, DATABASE_URL=url).stdout


def test_the_record_of_forecasts_says_what_is_missing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert python_without(tmp_path, OF_EXTRAS, "-m", "bot", "migrate", DATABASE_URL=url).returncode == 0
    done = python_without(tmp_path, OF_EXTRAS, "-m", "bot", "ask", "--json", "accuracy", DATABASE_URL=url)
    assert done.returncode == 3
    assert "extra “forecasts”" in json.loads(done.stdout)["need"]


@pytest.mark.usefixtures("without_extras")
async def test_the_doctor_has_a_line_for_each_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeVast([offer_row(1)]) as market:
        settings = load_settings(
            database_url=str(tmp_path / "a.db"), port=0, vast_url=market.url, vast_api_key=None, _env_file=None
        )
        assert await doctor(settings) == 0
        missing = [line for line in capsys.readouterr().out.splitlines() if "extra “" in line]
        monkeypatch.undo()
        assert await doctor(settings) == 0
        there = [line for line in capsys.readouterr().out.splitlines() if "extra “" in line]
    assert [line[:4] for line in missing] == ["off "] * len(EXTRAS)
    for extra, line in zip(EXTRAS, missing, strict=True):
        assert all(text in line for text in (extra.packages, extra.off, f"pip install '.[{extra.name}]'"))
    assert there == [f"ok   extra “{extra.name}”" for extra in EXTRAS]


@pytest.mark.usefixtures("without_extras")
async def test_an_answer_stands_without_its_picture_and_without_a_trace_in_the_log() -> None:
    gallery = Gallery()
    with capture_logs() as logged:
        assert await gallery.png(Lines(title="t", alt="a", lines=())) is None
    await gallery.close()
    assert logged == []


@pytest.mark.usefixtures("without_extras")
def test_what_is_off_is_logged_with_what_turns_it_on() -> None:
    with capture_logs() as logged:
        tell_if_missing(FORECASTS)
        tell_if_missing(CHARTS)
    assert [line["event"] for line in logged] == ["forecasts_off", "charts_off"]
    assert "pip install '.[forecasts]'" in logged[0]["advice"]


def test_nothing_is_logged_of_what_is_there() -> None:
    with capture_logs() as logged:
        for extra in EXTRAS:
            tell_if_missing(extra)
    assert logged == []
