"""``windows``: the hours of the week with the least risk of interruption, if hours matter (Q10)."""

from __future__ import annotations

import datetime as dt
import difflib
import zoneinfo
from collections.abc import Sequence
from dataclasses import replace

from analytics.answers.windows import DAYS, Asked, SafeWindows, Window, safe_windows
from analytics.errors import AskError
from analytics.evidence import Note
from analytics.interruptions.weekly_hazard import LOOK_BACK_HOURS
from analytics.market import HOUR
from bot.commands.card_notes import card_notes
from bot.commands.offers_now import each_model, with_offers
from bot.commands.scales import thinning_of
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Card, Chart, Column, Heat, Table
from bot.presentation.words import Words
from bot.zones import UTC, find_zone


async def ask(query: QueryContext, *, gpu_name: str, hours: float | None = None, tz: str = UTC) -> SafeWindows:
    """Q10 from the stored profile of the week and the last weeks' exposure and prices by hour."""
    asked = asked_in(tz, hours)
    since = await first_hour(query, gpu_name)
    lived = await query.reader.exposure_hours(gpu_name, since)
    prices = (await query.reader.hours([gpu_name], since)).get(gpu_name, [])
    fitted = await query.reader.hazard_profile(gpu_name)
    thinning = await thinning_of(query, gpu_name)
    basis = await query.basis([gpu_name])
    return safe_windows(gpu_name, lived, prices, basis, asked, fitted and replace(fitted, thinning=thinning))


def asked_in(tz: str, hours: float | None = None) -> Asked:
    """The question in a time zone; an unknown one is an AskError."""
    return Asked(zone(tz), UTC if tz.upper() == UTC else tz, hours)


async def first_hour(query: QueryContext, gpu: str) -> int:
    """The first hour that the windows of a model look back on."""
    return await query.seen_until([gpu]) // HOUR - LOOK_BACK_HOURS


def zone(name: str) -> dt.tzinfo:
    """The time zone of an IANA name; an unknown one is an AskError with near names."""
    found = find_zone(name)
    if found is None:
        known = {zone_name.lower(): zone_name for zone_name in zoneinfo.available_timezones()}
        near = difflib.get_close_matches(name.lower().replace(" ", "_"), known, n=3)
        places = [z for z in sorted(known.values()) if name.lower().replace(" ", "_") in z.lower()][:3]
        suggestions = list(dict.fromkeys([*places, *(known[match] for match in near)]))
        raise AskError(Note("tz: no time zone of that name"), suggestions=suggestions)
    return found


def card(answer: SafeWindows, words: Words) -> Card:
    """The best window first; the table has the safe ones, then the worst."""
    columns = (
        Column(words("when")),
        Column(words("hours"), "right"),
        Column(words("no interruption"), "right"),
        Column(words("average hour"), "right"),
        Column(words("price"), "right"),
    )
    named = ((words("Safe windows"), answer.safe_windows), (words("Worst windows"), answer.worst_windows))
    tables = tuple(
        Table(caption, columns, tuple(_row(window, words) for window in some)) for caption, some in named if some
    )
    notes = card_notes(answer.evidence, words, own=_own_notes(answer, words), usual=(answer.evidence.method,))
    title = words("Safe windows: {gpu} ({zone})", gpu=answer.gpu_name, zone=answer.timezone)
    return Card(
        title,
        words.lead(_lead(answer, words), answer.evidence),
        tables,
        (),
        notes,
        words.footer(answer.evidence),
        _charts(answer, words),
    )


def _own_notes(answer: SafeWindows, words: Words) -> list[str]:
    """When to start, and what held-out weeks said."""
    notes = []
    if answer.next_start is not None:
        start = dt.datetime.fromisoformat(answer.next_start)
        notes.append(words("earliest start: {when}", when=f"{words(DAYS[start.weekday()])} {start:%H:%M}"))
    details = answer.evidence.details or {}
    if answer.hours_matter and details.get("met_risk") is not None:
        claimed, met = (words.share(details[key], 0) for key in ("claimed_risk", "met_risk"))
        text = "safest quarter of the week: {claimed} of the average risk, {met} for all models in held-out weeks"
        notes.append(words(text, claimed=claimed, met=met))
    if answer.skill is not None:
        share = words.share(answer.skill, 2)
        notes.append(words("skill in held-out weeks, against the base rate: {share}", share=share))
    return notes


def _lead(answer: SafeWindows, words: Words) -> str:
    if not answer.safe_windows:
        return f"{answer.gpu_name}: {words(answer.conclusion)}"
    best = answer.safe_windows[0]
    return words("{when}: {reasoning}", when=when(best, words), reasoning=best.reasoning)


DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""Short names for a chart on a telephone."""


def _charts(answer: SafeWindows, words: Words) -> tuple[Chart, ...]:
    """The week by day and hour; none where hours do not matter, for then it would show chance."""
    if answer.safety_by_hour is None:
        return ()
    chart = Heat(
        title=words("Safe windows: {gpu} ({zone})", gpu=answer.gpu_name, zone=answer.timezone),
        alt=_alt(answer, answer.safety_by_hour, words),
        rows=tuple(words(day) for day in DAY_NAMES),
        columns=tuple(str(hour) for hour in range(24)),
        values=answer.safety_by_hour,
        marked=frozenset(cell for window in answer.safe_windows for cell in _hours(window, zone(answer.timezone))),
        scale=words("chance of no interruption, by hour of the week"),
        mark=words("safe window"),
    )
    return (chart,)


def _hours(window: Window, local: dt.tzinfo) -> list[tuple[int, int]]:
    """A window as (day, hour) cells; it may pass the end of the week, and a change of the clock."""
    first = int(dt.datetime.fromisoformat(window.next_start).timestamp())
    hours = (dt.datetime.fromtimestamp(first + n * HOUR, local) for n in range(window.duration_hours))
    return [(hour.weekday(), hour.hour) for hour in hours]


def _alt(answer: SafeWindows, table: Sequence[Sequence[float | None]], words: Words) -> str:
    cells = {(d, h): value for d, row in enumerate(table) for h, value in enumerate(row) if value is not None}
    worst, best = min(cells, key=lambda cell: cells[cell]), max(cells, key=lambda cell: cells[cell])
    return words(
        "{gpu}: chance of no interruption within an hour, from {low} ({worst}) to {high} ({best}). "
        "Safe windows: {list}.",
        gpu=answer.gpu_name,
        low=words.share(cells[worst], 2),
        worst=f"{words(DAYS[worst[0]])} {worst[1]:02}:00",
        high=words.share(cells[best], 2),
        best=f"{words(DAYS[best[0]])} {best[1]:02}:00",
        list=", ".join(when(window, words) for window in answer.safe_windows) or "–",
    )


def when(window: Window, words: Words) -> str:
    """The day and the hours of a window."""
    # zones of half hours have windows that begin and end at half past
    start, end = (f"{dt.datetime.fromisoformat(time):%H:%M}" for time in (window.next_start, window.next_end))
    end = "24:00" if end == "00:00" else end
    last = "" if window.end_day == window.day_of_week else f"{words(window.end_day)} "
    return f"{words(window.day_of_week)} {start} – {last}{end}"


def _row(window: Window, words: Words) -> tuple[str, ...]:
    return (
        when(window, words),
        words.number(window.duration_hours, 0),
        words.share(window.safety_score),
        words.share(window.base_score),
        words.money(window.avg_price),
    )


COMMAND = with_offers(
    Command(
        name="windows",
        summary="The hours of the week with the least risk of interruption",
        path="/api/spot/safe-windows/{gpu_name}",
        params=(
            Param("gpu_name", "gpu", "the model", required=True, aliases=("gpu", "model")),
            Param("hours", "hours", "how long the job runs", minimum=1, maximum=168),
            Param("tz", "text", "your time zone, e.g. America/Sao_Paulo", default=UTC, positional=False),
        ),
        ask=ask,
        card=card,
        examples=("windows RTX 4090", "windows RTX 4090 9h tz=America/Sao_Paulo"),
        role="member",
    ),
    lambda answer, given: each_model([answer.gpu_name]),
)
