"""The command line: ``spotbot ...`` or ``python -m bot ...``. Imports are late so that ``ask`` starts fast."""

from __future__ import annotations

import asyncio
import gc
import io
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from bot.config import Settings

cli = typer.Typer(
    name="spotbot",
    help="What the GPU spot market does, will do and costs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
keys = typer.Typer(help="API keys for the HTTP API.", no_args_is_help=True)
cli.add_typer(keys, name="keys")

EXIT_USAGE, EXIT_BUSY, EXIT_STORE = 2, 3, 4

EXIT_EMPTY = 3
"""Where nothing is stored: that of a question with too little history."""


def _language(asked: str) -> str:
    """The language on offer that is asked for; another is refused, lest English come as if it were the one wanted."""
    from bot.presentation.words import LOCALES, pick_language

    found = pick_language(asked, default="")
    if not found:
        raise typer.BadParameter(f"“{asked}” is not on offer; choose {' or '.join(LOCALES)}")
    return found


Question = Annotated[list[str], typer.Argument(help="the question, for example: predict RTX 4090")]
Json = Annotated[bool, typer.Option("--json", help="print exactly what the HTTP API answers")]
Language = Annotated[
    str | None,
    typer.Option(
        "--lang",
        help="en or pt-BR; default: SPOTBOT_LOCALE",
        callback=lambda asked: _language(asked) if asked else None,
    ),
]
Files = Annotated[
    list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV or NDJSON, .gz allowed")
]


def _tell_version(asked: bool) -> None:
    if asked:
        from bot.version import version

        typer.echo(f"spotbot {version()}")
        raise typer.Exit


@cli.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="print the version and stop")
    ] = False,
) -> None:
    """What the GPU spot market does, will do and costs."""


def main() -> None:
    """Entry point of the console script."""
    # a question is answered before garbage matters, and collecting costs it a tenth of its time
    gc.disable()
    replace_what_cannot_be_encoded()
    cli()


def replace_what_cannot_be_encoded() -> None:
    """Let standard output and error write “?” for what their encoding lacks, instead of ending in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _collect_from_now_on() -> None:
    """For processes that stay: what is loaded by now is never garbage, and is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def _settings(**overrides: Any) -> Settings:
    from bot.config import BadSettings

    try:
        return _read_settings(**overrides)
    except BadSettings as error:
        raise _fail(str(error), EXIT_USAGE) from None


def _settings_to_read() -> Settings:
    """For what only reads: the running demo's database where none is set up."""
    from bot.cli.running_demo import for_reading

    return for_reading(_settings())


def _read_settings(**overrides: Any) -> Settings:
    from bot.config import BadSettings, load_settings

    settings = load_settings(**overrides)
    try:
        return settings.with_locale(_language(settings.locale))
    except typer.BadParameter as error:
        raise BadSettings(f"SPOTBOT_LOCALE: {error.message}") from None


def _fail(message: str, code: int) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(code)


def _run(work: Coroutine[Any, Any, int | None], *, stays: bool = True) -> None:
    """Run to the end; what the store refuses becomes one line and an exit code."""
    if stays:
        _collect_from_now_on()
    from bot.app import CannotListen
    from bot.config import BadSettings
    from bot.faces.errors import AccessRefused
    from bot.store.engine import StoreBusy, StoreEmpty, StoreError

    try:
        code = asyncio.run(work)
    except StoreBusy as error:
        raise _fail(str(error), EXIT_BUSY) from None
    except StoreEmpty as error:
        raise _fail(str(error), EXIT_EMPTY) from None
    except StoreError as error:
        raise _fail(str(error), EXIT_STORE) from None
    except (CannotListen, BadSettings, AccessRefused) as error:
        raise _fail(str(error), EXIT_USAGE) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(code or 0)


@cli.command()
def ask(question: Question, as_json: Json = False, lang: Language = None) -> None:
    """Ask one question of the stored market."""
    from bot.cli.ask import ask_once

    settings = _settings_to_read()
    _run(ask_once(settings, " ".join(question), language=lang or settings.locale, as_json=as_json), stays=False)


@cli.command()
def chart(
    question: Annotated[str, typer.Argument(help="a question whose answer has a chart, for example: history RTX 4090")],
    file: Annotated[Path, typer.Argument(dir_okay=False, help="the PNG to write")],
    lang: Language = None,
    theme: Annotated[Literal["light", "dark"], typer.Option(help="what the picture lies on")] = "light",
) -> None:
    """Draw the chart of an answer of the stored market."""
    from bot.cli.ask import draw_once

    settings = _settings_to_read()
    _run(draw_once(settings, question, file, language=lang or settings.locale, theme=theme), stays=False)


@cli.command()
def status(as_json: Json = False, lang: Language = None) -> None:
    """What is polled, how fresh it is, and what it costs of the day's rows."""
    ask(["status"], as_json, lang)


@cli.command()
def chat(lang: Language = None) -> None:
    """A prompt with completion."""
    from bot.cli.ask import chat as chat_app

    settings = _settings()
    _run(chat_app(settings, language=lang or settings.locale))


@cli.command()
def demo(
    port: Annotated[
        int | None, typer.Option(help="port of the API on 127.0.0.1; 0 takes a free one; default: PORT, else 8080")
    ] = None,
    days: Annotated[int, typer.Option(min=0, max=365, help="days of history to begin with")] = 90,
    seed: Annotated[int, typer.Option(help="another seed is another market")] = 7,
    lang: Language = None,
    shock: Annotated[bool, typer.Option("--shock", help="let a price fall soon, to see an alert fire")] = False,
) -> None:
    """A simulated market with history, a prompt and the API. Needs no account and no network."""
    from bot.cli.demo import MarketOptions
    from bot.cli.demo import demo as demo_app

    settings = _settings() if port is None else _settings(port=port)
    market = MarketOptions(days, seed, shock=shock)
    _run(demo_app(settings, market, language=lang or settings.locale, prompt=sys.stdin.isatty()))


@cli.command()
def run() -> None:
    """Everything that the environment configures, in one process: polling, forecasts, the API, Slack, Discord."""
    from bot.app import serve

    _run(serve(_settings(), poll=True, web=True, chat=("slack", "discord")))


@cli.command()
def slack() -> None:
    """Slack alone, on what a worker stores."""
    from bot.app import serve

    _run(serve(_settings(), poll=False, web=False, chat=("slack",)))


@cli.command()
def discord() -> None:
    """Discord alone, on what a worker stores."""
    from bot.app import serve

    _run(serve(_settings(), poll=False, web=False, chat=("discord",)))


@cli.command()
def web() -> None:
    """The HTTP API alone, on what a worker stores."""
    from bot.app import serve

    _run(serve(_settings(), poll=False, web=True))


@cli.command()
def worker() -> None:
    """Polling and forecasts alone."""
    from bot.app import serve

    _run(serve(_settings(), poll=True, web=False))


@cli.command()
def poll(
    once: Annotated[bool, typer.Option("--once", help="poll every followed model once and stop")] = False,
) -> None:
    """Run the collector alone and say what it does; with --once exits 4 when the market answered no poll."""
    from bot.cli.poll import poll as poll_app

    _run(poll_app(_settings(), once=once))


@cli.command("import")
def import_(
    files: Files,
    kind: Annotated[Literal["offers", "prices"] | None, typer.Option(help="default: by the columns")] = None,
    complete: Annotated[
        Literal["yes", "no"] | None,
        typer.Option(help="whether polls of offers are all of the market; default: unless they look like parts of it"),
    ] = None,
) -> None:
    """Back-fill history from files. Doing it twice changes nothing."""
    from bot.cli.import_export import import_files

    whole = None if complete is None else complete == "yes"
    _run(import_files(_settings(), files, kind=kind, complete=whole))


@cli.command()
def export(
    file: Annotated[Path, typer.Argument(help="CSV or NDJSON by its ending, .gz allowed")],
    kind: Annotated[Literal["prices", "offers", "interruptions"], typer.Option(help="what to write")] = "prices",
    days: Annotated[int, typer.Option(min=1, max=396, help="how far back")] = 30,
    gpu: Annotated[list[str] | None, typer.Option(help="only this model; may be repeated")] = None,
) -> None:
    """Dump history to a file that `import` reads."""
    from bot.cli.import_export import export_file

    _run(export_file(_settings_to_read(), file, kind=kind, days=days, names=gpu or []))


@cli.command()
def backtest(
    gpu: Annotated[list[str] | None, typer.Argument(help="models; default: all")] = None, as_json: Json = False
) -> None:
    """Score the forecaster on the stored history."""
    from bot.cli.database import backtest as backtest_app

    _run(backtest_app(_settings_to_read(), gpu or [], as_json=as_json))


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    from bot.cli.database import migrate as migrate_app

    _run(migrate_app(_settings()))


@cli.command()
def backup(file: Annotated[Path, typer.Argument(help="where to write the copy; must not exist")]) -> None:
    """Copy the SQLite database while it is in use."""
    from bot.cli.database import backup as backup_app

    _run(backup_app(_settings(), file))


@cli.command()
def doctor() -> None:
    """Check the configuration and say what to fix; makes and changes nothing."""
    from bot.cli.doctor import bad_settings
    from bot.cli.doctor import doctor as doctor_app
    from bot.config import BadSettings

    try:
        settings = _read_settings()
    except BadSettings as error:
        raise typer.Exit(bad_settings(error)) from None
    _run(doctor_app(settings))


@cli.command("settings")
def settings_() -> None:
    """What holds of the environment and `.env`, and where each value comes from; secrets are not shown."""
    from bot.cli.settings import show

    show(_settings())


@keys.command("create")
def keys_create(
    label: Annotated[str, typer.Argument(help="who it is for")],
    per_minute: Annotated[int, typer.Option(min=1, help="requests a minute")] = 120,
    scope: Annotated[list[str] | None, typer.Option(help="read (the default), alerts; may be given twice")] = None,
    owner: Annotated[str | None, typer.Option(help="for whom alerts are made: slack:TEAM:CHANNEL")] = None,
) -> None:
    """Make a key; it is shown once."""
    from bot.cli.keys import create

    _run(create(_settings(), label, per_minute, scope or ["read"], owner))


@keys.command("secret")
def keys_secret() -> None:
    """Make a key for SPOTBOT_SECRET_KEY and print it."""
    from bot.secret_box import new_key

    typer.echo(new_key())


@keys.command("reseal")
def keys_reseal() -> None:
    """Encrypt what is stored with the first key of SPOTBOT_SECRET_KEY."""
    from bot.cli.keys import reseal

    _run(reseal(_settings()))


@keys.command("list")
def keys_list() -> None:
    """The keys there are, by prefix."""
    from bot.cli.keys import list_all

    _run(list_all(_settings()))


@keys.command("revoke")
def keys_revoke(prefix: Annotated[str, typer.Argument(help="the key's prefix, as `keys list` shows it")]) -> None:
    """Make a key useless from now on."""
    from bot.cli.keys import revoke

    _run(revoke(_settings(), prefix))


if __name__ == "__main__":
    main()
