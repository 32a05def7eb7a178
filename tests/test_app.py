"""The program as its commands start it: real store, a market on loopback, the API over a socket."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from analytics.catalog import vast_names
from bot.app import App, CannotListen
from bot.cli.ask import ask_once, draw_once
from bot.cli.database import backtest, backup, migrate
from bot.cli.doctor import doctor
from bot.cli.import_export import export_file, import_files
from bot.cli.keys import create, list_all, revoke
from bot.cli.poll import poll
from bot.cli.stores import open_writer
from bot.clock import SteadyClock
from bot.commands import COMMANDS
from bot.config import BadSettings, Settings, load_settings
from bot.dispatch.dispatcher import Dispatcher
from bot.sources import vast_client
from bot.store.engine import Store, StoreBusy, StoreError, open_store
from tests.fakes.vast import FakeVast, Say, offer_row


def _settings(folder: Path, **more: object) -> Settings:
    url = f"sqlite:///{folder / 'spotbot.db'}"
    return load_settings(database_url=url, port=0, vast_url="http://127.0.0.1:9", _env_file=None, **more)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A market that is away is asked again at once."""
    monkeypatch.setattr(vast_client, "BACKOFF_S", (0.0,) * len(vast_client.BACKOFF_S))


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "VAST_URL", "PORT", "SPOTBOT_GPUS", "SPOTBOT_HOME", "SPOTBOT_LOCALE"):
        monkeypatch.delenv(name, raising=False)


async def forecast_nothing(store: Store, now: int) -> None:
    """The process that forecasts takes seconds to begin: one import here goes with it, and these without."""


async def _ask(
    settings: Settings, line: str, capsys: pytest.CaptureFixture[str], language: str = "en"
) -> tuple[int, str, str]:
    capsys.readouterr()
    code = await ask_once(settings, line, language=language, as_json=True)
    out, err = capsys.readouterr()
    return code, out, err


async def test_on_an_empty_database_each_question_exits_3_without_a_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = _settings(tmp_path)
    await migrate(settings)
    capsys.readouterr()
    for command in COMMANDS[:10]:
        code, out, err = await _ask(settings, command.examples[0], capsys)
        problem = json.loads(out)
        assert (code, problem["status"]) == (3, 409), command.name
        numbers = [key for key, value in problem.items() if isinstance(value, int | float)]
        assert numbers == ["status"], command.name
        assert "Needed" in err


async def test_json_says_that_the_store_is_down_as_http_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spotbot.db").write_text("this is no database, but it is long enough to be looked at " * 20)
    with pytest.raises(StoreError):
        await _ask(_settings(tmp_path), "monitor", capsys)
    problem = json.loads(capsys.readouterr().out)
    assert (problem["status"], problem["type"]) == (503, "urn:spotbot:problem:store-unavailable")
    assert str(tmp_path) not in str(problem)


async def test_errors_are_told_in_the_askers_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = _settings(tmp_path)
    await migrate(settings)
    capsys.readouterr()
    code, _, err = await _ask(settings, "predikt RTX 4090", capsys, "pt-BR")
    assert code == 2
    assert "predict" in err
    assert "não existe" in err


async def test_a_poll_is_answered_from_at_once_and_by_http_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [offer_row(n, min_bid=0.2 + n / 100) for n in range(5)]
    async with FakeVast(rows) as market:
        settings = _settings(tmp_path).model_copy(update={"vast_url": market.url, "gpus": ("4090",)})
        await poll(settings, once=True)
        assert "RTX 4090: complete, 5 offers, 5 rows" in capsys.readouterr().out
    code, out, _ = await _ask(settings, "savings RTX 4090 100h", capsys)
    assert code == 0
    assert json.loads(out)["cost_dumont"] == pytest.approx(22.0)
    answer = await _over_http(settings, "/api/spot/savings", {"gpu": "RTX 4090", "hours": "100"})
    assert answer.status_code == 200
    assert _without_age(answer.text) == _without_age(out)


async def test_a_poll_that_failed_altogether_is_told_by_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FakeVast([offer_row(n) for n in range(3)]) as market:
        settings = _settings(tmp_path).model_copy(update={"vast_url": market.url, "gpus": ("4090", "L40S")})
        broken = Say(400, {"error": "invalid_request", "msg": "broken"})
        market.script.extend([broken, broken])
        assert await poll(settings, once=True) == 4
        market.script.append(broken)
        assert await poll(settings, once=True) == 0
        assert capsys.readouterr().out.count("failed") == 3
        market.script.append(broken)
        assert await poll(settings.model_copy(update={"gpus": ()}), once=True) == 0  # the stored ones are known
        unknown = _settings(tmp_path / "new").model_copy(update={"vast_url": market.url})
        market.script.append(broken)
        assert await poll(unknown, once=True) == 4
        assert "nothing was polled" in capsys.readouterr().err
        spent = settings.model_copy(update={"row_budget": 1})
        assert await poll(spent, once=True) == 0
        assert "rows" in capsys.readouterr().err


def _without_age(text: str) -> dict:
    answer = json.loads(text)
    answer["evidence"].pop("stale")
    return answer


async def _over_http(settings: Settings, path: str, query: dict[str, str]) -> httpx.Response:
    """Ask a running API, and stop it."""
    async with open_writer(settings) as store:
        async with store.writer() as writer:
            secret, _ = await writer.create_key("test", scopes=("read",), per_minute=60, at=0)
        app = App(settings, store, Dispatcher(store, COMMANDS, SteadyClock()), SteadyClock())
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(app.run(web=True, started=listening.set_result))
        port = await listening
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            answer = await client.get(path, params=query, headers={"Authorization": f"Bearer {secret}"})
        app.stop.set()
        await running
        return answer


async def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = _settings(tmp_path).model_copy(update={"port": port})
    store = await open_store(settings.database_url, writer=False)
    app = App(settings, store, Dispatcher(store, COMMANDS, SteadyClock()), SteadyClock())
    with pytest.raises(CannotListen, match=f"{port}.*PORT"):
        await app.run(web=True)
    await store.close()
    server.close()
    await server.wait_closed()


async def test_a_second_writer_is_refused_but_keys_can_be_made_beside_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = _settings(tmp_path)
    store = await open_store(settings.database_url, writer=True)
    with pytest.raises(StoreBusy, match="already writing"):
        await poll(settings, once=True)
    await create(settings, "partner", 60)
    secret = capsys.readouterr().out.split()[0]
    await list_all(settings)
    assert "partner" in (listed := capsys.readouterr().out)
    assert secret not in listed
    assert secret.encode() not in (tmp_path / "spotbot.db").read_bytes()
    assert await revoke(settings, listed.split("…")[0]) == 0
    assert await revoke(settings, "spot_none") == 2
    await store.close()


@pytest.mark.parametrize("label", ["", "  ", "x" * 81, "two\nlines", "bell\a", "\x1b[31mred", "\u202etxt"])
async def test_a_key_needs_a_name_that_can_be_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], label: str
) -> None:
    settings = _settings(tmp_path)
    assert await create(settings, label, 60) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "1 to 80" in err
    await list_all(settings)
    assert "no keys yet" in capsys.readouterr().out
    assert not await create(settings, " José's laptop ", 60)
    capsys.readouterr()
    await list_all(settings)
    assert "  José's laptop  " in capsys.readouterr().out


OFFERS = """\
ts_utc,gpu_name,machine_id,num_gpus,geolocation,on_demand_per_gpu,min_bid_per_gpu,rentable,verified,\
reliability
2026-10-05T00:00:00Z,RTX 4090,1,1,"Texas, US",0.4,0.3,1,1,0.99
2026-10-05T00:00:00Z,RTX 4090,2,1,"Texas, US",0.4,0.3,1,1,0.99
2026-10-05T00:15:00Z,RTX 4090,1,1,"Texas, US",0.4,0.3,1,1,0.99
2026-10-05T00:15:00Z,RTX 4090,2,oops,"Texas, US",0.4,0.3,1,1,0.99
2026-10-05T00:30:00Z,RTX 4090,1,1,"Texas, US",0.4,0.3,1,1,0.99
2026-10-05T00:45:00Z,RTX 4090,1,1,"Texas, US",0.4,0.3,1,1,0.99
"""


async def test_an_import_reports_bad_lines_counts_once_and_comes_back_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = _settings(tmp_path)
    file = tmp_path / "offers.csv"
    file.write_text(OFFERS)
    assert await import_files(settings, [file], kind=None) == 0
    out, err = capsys.readouterr()
    assert "4 polls stored" in out
    assert "line 5" in err
    first = await _ask(settings, "interruptions 24h RTX 4090", capsys)
    assert await import_files(settings, [file], kind="offers", forecast=forecast_nothing) == 0
    assert "0 polls stored, 4 already covered" in capsys.readouterr().out
    second = await _ask(settings, "interruptions 24h RTX 4090", capsys)
    assert first == second
    dump = tmp_path / "prices.csv.gz"
    assert await export_file(settings, dump, kind="prices", days=3000, names=["4090"]) == 0
    assert "rows" in capsys.readouterr().out
    copy = _settings(tmp_path / "copy")
    assert await import_files(copy, [dump], kind=None, forecast=forecast_nothing) == 0
    assert await export_file(copy, tmp_path / "again.csv.gz", kind="prices", days=3000, names=[]) == 0
    assert (tmp_path / "again.csv.gz").exists()


async def test_older_history_is_added_before_what_is_there_and_nothing_counts_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line for line in OFFERS.splitlines() if "oops" not in line]
    whole, newer = tmp_path / "whole.csv", tmp_path / "newer.csv"
    whole.write_text("\n".join(lines))
    newer.write_text("\n".join([lines[0], *(line for line in lines if "T00:30" in line or "T00:45" in line)]))
    at_once, in_parts = _settings(tmp_path / "a"), _settings(tmp_path / "b")
    await import_files(at_once, [whole], kind=None, forecast=forecast_nothing)
    await import_files(in_parts, [newer, whole], kind=None, forecast=forecast_nothing)
    answers = [json.loads((await _ask(s, "interruptions 24h RTX 4090", capsys))[1]) for s in (at_once, in_parts)]
    hours = [answer["gpus"][0]["exposure_hours"] for answer in answers]
    # the step between the two files was seen by neither as one step, so it is missing, never doubled
    assert hours[1] <= hours[0]


async def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("a,b\n1,2\n")
    assert await import_files(_settings(tmp_path), [file], kind=None) == 2
    assert "columns are missing" in capsys.readouterr().err


async def test_a_backup_answers_like_the_original(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = _settings(tmp_path)
    file = tmp_path / "offers.csv"
    file.write_text(OFFERS)
    await import_files(settings, [file], kind=None, forecast=forecast_nothing)
    await backup(settings, tmp_path / "copy.db")
    await migrate(settings)
    copied = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'copy.db'}"})
    line = "interruptions 24h RTX 4090"
    assert await _ask(copied, line, capsys) == await _ask(settings, line, capsys)


async def test_the_chart_of_an_answer_is_drawn_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings, offers, file = _settings(tmp_path), tmp_path / "offers.csv", tmp_path / "chart.png"
    offers.write_text(OFFERS)
    await import_files(settings, [offers], kind=None, forecast=forecast_nothing)
    capsys.readouterr()
    assert await draw_once(settings, "history RTX 4090", file, language="pt-BR", theme="dark") == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert "mediana $0,300" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "file", "code", "says"),
    [
        ("status", "chart.png", 2, "“status” has no chart"),
        ("histori RTX 4090", "chart.png", 2, "history"),
        ("windows RTX 4090", "chart.png", 3, "Needed"),
        ("history RTX 4090", "nowhere/chart.png", 2, "No such file"),
    ],
)
async def test_a_chart_that_cannot_be_drawn_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, file: str, code: int, says: str
) -> None:
    settings, offers = _settings(tmp_path), tmp_path / "offers.csv"
    offers.write_text(OFFERS)
    await import_files(settings, [offers], kind=None, forecast=forecast_nothing)
    assert await draw_once(settings, line, tmp_path / file, language="en", theme="light") == code
    assert says in capsys.readouterr().err
    assert not (tmp_path / file).exists()


async def test_backtest_without_history_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await migrate(_settings(tmp_path))
    assert await backtest(_settings(tmp_path), [], as_json=True) == 3
    assert await backtest(_settings(tmp_path), ["no such gpu"], as_json=True) == 2
    assert "import" in capsys.readouterr().err


async def test_doctor_says_what_to_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with FakeVast([offer_row(n) for n in range(3)]) as market:
        good = _settings(tmp_path).model_copy(
            update={"vast_url": market.url, "gpus": ("RTX 4090",), "home": "Berlin, DE"}
        )
        assert await doctor(good) == 0
        assert "FIX" not in capsys.readouterr().out
        bad = good.model_copy(update={"gpus": ("RTX 4091",), "home": "Atlantis"})
        assert await doctor(bad) == 1
        out = capsys.readouterr().out
        assert "Did you mean" in out
        assert "not a place" in out


def test_wrong_settings_name_the_variable() -> None:
    with pytest.raises(BadSettings, match="DATABASE_URL: use sqlite"):
        load_settings(database_url="mysql://x", _env_file=None)


def test_a_home_folder_is_not_where_the_asker_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert load_settings(_env_file=None).home is None


def test_typed_models_become_the_markets_names() -> None:
    assert vast_names(["4090", "A100 SXM4", "a100 pcie 80gb", "Quantum 9"]) == (
        "RTX 4090",
        "A100 SXM4",
        "A100 PCIE",
        "Quantum 9",
    )
