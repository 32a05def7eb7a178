"""What digests read: the right rows on both databases, found by an index however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from analytics.forecasting.forecasts import Forecast
from analytics.forecasting.ledger import Due, Outcome
from analytics.market import HOUR
from bot.alerts.engine import TOPIC
from bot.store.engine import Store
from bot.store.outbox import Destination, NewMessage
from bot.store.reader import Reader
from tests.fakes.alerting import MODEL, OTHER, OWNER, START, Market, market, rule

HERE = Destination("slack", "", "T1", "C1", "")
NOW = START + 100 * HOUR


async def alert_id(market_: Market, public_id: str) -> int:
    async with market_.store.reader() as reader:
        found = await reader.alerts.find(OWNER.platform, OWNER.enterprise, OWNER.team, public_id)
    assert found is not None
    return found.id


async def tell(store: Store, alert: int, times: Sequence[int], *, kind: str = "fire") -> None:
    """Queue messages of an alert at these seconds."""
    async with store.writer() as writer:
        to = await writer.outbox.destination("slack", "T1", channel="C1")
        for at in times:
            said = NewMessage(f"alert/{alert}/{at}/{kind}", to, f"{TOPIC}{alert}", kind, {"at": at})
            await writer.outbox.add([said], at)


async def fired(store: Store, to: Destination = HERE, *, since: int = START, limit: int = 10) -> tuple[list[int], int]:
    async with store.reader() as reader:
        rows, total = await reader.fired_alerts(to, since, NOW, topic=TOPIC, kind="fire", limit=limit)
    assert [row.at for row in rows] == [row.payload["at"] for row in rows]
    return [row.at for row in rows], total


async def test_alerts_that_fired_come_newest_first_with_how_many_there_were(store: Store) -> None:
    made = await market(store)
    first, second = [await alert_id(made, await made.add(rule(threshold=n))) for n in (300_000, 310_000)]
    await tell(store, first, [START, START + 1, START + 3])
    await tell(store, second, [START + 2, NOW, NOW + 1])
    await tell(store, second, [START + 4], kind="resolve")
    assert await fired(store) == ([NOW, START + 3, START + 2, START + 1], 4)
    assert await fired(store, limit=2) == ([NOW, START + 3], 4)
    assert await fired(store, since=START + 2) == ([NOW, START + 3], 2)


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(HERE, channel="C2"),
        replace(HERE, team="T2"),
        replace(HERE, platform="discord"),
        replace(HERE, enterprise="E1"),
        replace(HERE, channel="", person="U1"),
    ],
)
async def test_nobody_hears_of_the_alerts_of_another_place(store: Store, elsewhere: Destination) -> None:
    made = await market(store)
    await tell(store, await alert_id(made, await made.add(rule())), [START + 1])
    async with store.writer() as writer:
        to = elsewhere
        await writer.outbox.destination(
            to.platform, to.team, channel=to.channel, person=to.person, enterprise=to.enterprise
        )
    assert await fired(store) == ([START + 1], 1)
    assert await fired(store, elsewhere) == ([], 0)


async def test_an_alert_that_was_deleted_since_has_fired_all_the_same(store: Store) -> None:
    made = await market(store)
    one = await alert_id(made, await made.add(rule()))
    await tell(store, one, [START + 1])
    async with store.writer() as writer:
        await writer.alerts.delete(one, START + 2)
    assert await fired(store) == ([START + 1], 1)


async def issue(store: Store, issued_at: int, horizon: int, *, actual: int | None = None, scored: bool = True) -> None:
    target = issued_at + horizon * HOUR
    made = Forecast(MODEL, horizon, issued_at, target, 400, 401, 390, 410, 0.5, "own", "last_value")
    due = Due(MODEL, issued_at, horizon, 400, 401, 410, 0.5, "last_value", None, 300)
    async with store.writer() as writer:
        await writer.save_forecasts([made])
        await writer.score_forecasts([Outcome(due, actual)] if scored else [], NOW)


async def test_forecasts_came_due_in_the_period_in_which_their_hour_ended(store: Store) -> None:
    """Two periods that meet have each forecast once."""
    await market(store)
    for hour in range(1, 80):
        for horizon in (1, 6, 24):
            await issue(store, START + hour * HOUR, horizon, actual=400 + hour, scored=hour % 2 == 0)
    middle = START + 50 * HOUR
    async with store.reader() as reader:
        early, late, between, whole = [
            await reader.landed_forecasts([MODEL, OTHER], since, until)
            for since, until in (
                (middle - 24 * HOUR, middle),
                (middle, middle + 24 * HOUR),
                (middle - 24 * HOUR + 60, middle + 60),
                (middle - 24 * HOUR, middle + 24 * HOUR),
            )
        ]
        assert await reader.landed_forecasts([OTHER], START, NOW) == []
    assert [len(some) for some in (early, late, whole)] == [72, 72, 144]
    key = [{(one.issued_at, one.horizon_h) for one in some} for some in (early, late, whole, between)]
    assert (key[0] | key[1], key[0]) == (key[2], key[3])
    assert max(one.target_at for one in early) == middle - HOUR
    for one in early:
        hour = (one.issued_at - START) // HOUR
        assert (one.scored, one.actual) == ((True, 400 + hour) if hour % 2 == 0 else (False, None))
        assert (one.y_last, one.price, one.lo80, one.hi80) == (400, 401, 390, 410)
        assert one.target_at == one.issued_at + one.horizon_h * HOUR


async def test_prices_are_those_of_the_hours_that_are_named(store: Store) -> None:
    made = await market(store, {MODEL: 0, OTHER: 0})
    for price in (300_000, 200_000, 500_000):
        await made.poll(price, after=HOUR)
    hour = START // HOUR
    async with store.reader() as reader:
        found = await reader.prices_at([MODEL, OTHER, "no such"], [hour, hour + 1, hour + 3, hour + 9])
        assert await reader.prices_at([], [hour]) == {}
    assert found == {MODEL: {hour: 400_000, hour + 1: 300_000, hour + 3: 500_000}, OTHER: {hour: 400_000}}


async def _plan(reader: Reader, read: str) -> list[str]:
    """How SQLite goes about what a read says."""
    arguments: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "fired_alerts": ((HERE, START, NOW), {"topic": TOPIC, "kind": "fire", "limit": 10}),
        "landed_forecasts": (([MODEL, OTHER], START, NOW), {}),
        "prices_at": (([MODEL, OTHER], list(range(START // HOUR, NOW // HOUR))), {}),
        "hazard_profiles": (([MODEL, OTHER],), {}),
    }
    said: list[tuple[str, Sequence[Any]]] = []
    engine = reader._conn.sync_engine

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    given, named = arguments[read]
    event.listen(engine, "before_cursor_execute", note)
    await getattr(reader, read)(*given, **named)
    event.remove(engine, "before_cursor_execute", note)
    ((statement, parameters),) = said
    plan = await reader._conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))
    return [row[3] for row in plan]


@pytest.mark.parametrize("read", ["fired_alerts", "landed_forecasts", "prices_at", "hazard_profiles"])
@pytest.mark.parametrize("database_tables", ["sqlite_tables"], indirect=True)
async def test_nothing_is_read_but_what_is_asked_for(store: Store, read: str) -> None:
    await market(store, {MODEL: 0, OTHER: 0})
    async with store.reader() as reader:
        plan = await _plan(reader, read)
    tables = ("alert", "message", "destination", "forecast", "price_hour", "hazard_profile")
    assert any(step.startswith("SEARCH") for step in plan)
    assert not [step for step in plan if step.startswith(tuple(f"SCAN {table}" for table in tables))], plan
