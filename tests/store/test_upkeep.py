"""Budget, plan, forecasts, keys, back-fill, and what is forgotten when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from analytics.forecasting.forecasts import Forecast, HorizonRecord, TrackRecord
from analytics.market import DAY, HOUR, WORLD, Exposure, HourPoint, Quality, Scope, Shadow
from bot.store import tables as t
from bot.store.api_keys import MARK, ApiKey
from bot.store.engine import Store, open_store
from bot.store.errors import StoreError
from bot.store.names import MOST_NAMES
from tests.fakes.rounds import AT, MODEL, entry, interruption, lived, point

TODAY = AT // DAY
THIS_HOUR = AT // HOUR


async def save(store: Store, *entries: object) -> None:
    async with store.writer() as writer:
        await writer.save_round(AT, entries)  # type: ignore[arg-type]


async def test_rows_spent_add_up_by_day(store: Store) -> None:
    async with store.writer() as writer:
        for day, rows in ((TODAY, 40), (TODAY, 2), (TODAY + 1, 7)):
            await writer.add_quota(day, rows)
    async with store.writer() as writer:
        await writer.learn_limit(TODAY, 3000)
        await writer.add_quota(TODAY, 1)
        await writer.learn_limit(TODAY + 2, 5000)
    async with store.reader() as reader:
        assert [await reader.quota(TODAY + n) for n in range(4)] == [(43, 3000), (7, None), (0, 5000), (0, None)]


async def test_the_budget_survives_a_restart(database_tables: str) -> None:
    for _ in range(2):
        store = await open_store(database_tables, writer=True)
        async with store.writer() as writer:
            await writer.add_quota(TODAY, 5)
        await store.close()
    reading = await open_store(database_tables, writer=False)
    async with reading.reader() as reader:
        assert await reader.quota(TODAY) == (10, None)
    await reading.close()


async def test_following_a_plan_drops_what_is_not_in_it(store: Store) -> None:
    small, big = (
        entry(model="A100 SXM4 40GB", vast_name="A100 SXM4"),
        entry(model="A100 SXM4 80GB", vast_name="A100 SXM4"),
    )
    await save(store, entry(), small, big)
    async with store.writer() as writer:
        assert await writer.set_followed({MODEL: 600}) == []
        assert await writer.set_followed({"A100 SXM4": 900, "B200": 300}) == ["B200"]
    async with store.reader() as reader:
        plan = {row.name: (row.followed, row.interval) for row in await reader.models()}
    assert plan == {MODEL: (False, 600), "A100 SXM4 40GB": (True, 900), "A100 SXM4 80GB": (True, 900)}


async def test_interest_is_remembered_at_its_latest(store: Store) -> None:
    await save(store, entry(), entry(model="B"))
    async with store.writer() as writer:
        await writer.touch_asked([MODEL, "nobody's"], AT)
        await writer.touch_asked([MODEL], AT - 50)
    async with store.reader() as reader:
        assert {row.name: row.asked_at for row in await reader.models()} == {MODEL: AT, "B": None}


async def test_polls_are_counted_by_quality_and_their_sizes_listed_in_time_order(store: Store) -> None:
    one, suspect = entry(), entry(AT + 300, quality=Quality.SUSPECT)
    await save(
        store,
        replace(one, poll=replace(one.poll, offers=one.poll.offers[:1])),
        replace(suspect, poll=replace(suspect.poll, offers=suspect.poll.offers[:2])),
        entry(AT + 600),
        entry(AT + 900, quality=Quality.FAILED),
        entry(AT + 1200, quality=Quality.CAPPED),
        entry(AT + 300, model="B"),
    )
    async with store.reader() as reader:
        complete, suspect = await reader.readings(MODEL, 12, since=AT)
        assert [(reading.at, reading.rows) for reading in complete] == [(AT, 1), (AT + 600, 3)]
        assert [(reading.at, reading.rows) for reading in suspect] == [(AT + 300, 2)]
        assert [reading.rows for reading in (await reader.readings(MODEL, 1, since=AT + 300))[0]] == [3]
        assert (await reader.readings(MODEL, 12, since=AT + 300))[1] == []
        counts = {Quality.COMPLETE: 2, Quality.SUSPECT: 1, Quality.FAILED: 1, Quality.CAPPED: 1}
        assert await reader.poll_counts(AT + 300) == counts
        assert await reader.poll_times(MODEL, AT + 300, AT + 600) == [
            (AT + 300, Quality.SUSPECT),
            (AT + 600, Quality.COMPLETE),
        ]


def forecast(horizon_h: int, issued_at: int, model: str = MODEL) -> Forecast:
    return Forecast(
        model,
        horizon_h,
        issued_at,
        issued_at + horizon_h * HOUR,
        300_000,
        301_000,
        280_000,
        None,
        0.625,
        "own",
        "last_value",
    )


async def test_the_latest_forecast_of_each_horizon_is_served(store: Store) -> None:
    await save(store, entry(), entry(model="B"))
    async with store.writer() as writer:
        await writer.save_forecasts([forecast(24, AT), forecast(1, AT), forecast(6, AT), forecast(1, AT + 9, "B")])
        await writer.save_forecasts([forecast(1, AT + HOUR)])
    async with store.reader() as reader:
        assert await reader.forecasts(MODEL) == [forecast(1, AT + HOUR), forecast(6, AT), forecast(24, AT)]
        assert await reader.forecasts("B") == [forecast(1, AT + 9, "B")]


async def test_a_track_record_is_replaced_by_the_next(store: Store) -> None:
    await save(store, entry())
    horizons = (HorizonRecord(1, 200, 0.75, 0.5, 0.8125, 0.03125, 0.0625), HorizonRecord(24, 0, *[None] * 5))
    record = TrackRecord(MODEL, AT, 0.75, 0.5, 0.25, 0.8125, 200, "backtest", horizons)
    async with store.writer() as writer:
        await writer.save_track_record(replace(record, n_scored=1))
        await writer.save_track_record(record)
    async with store.reader() as reader:
        assert await reader.track_record(MODEL) == record
        assert await reader.track_record("B") is None


async def test_a_key_opens_until_it_is_revoked(store: Store) -> None:
    async with store.writer() as writer:
        secret, key = await writer.create_key("partner", scopes=("read", "share"), per_minute=60, at=AT)
        other, other_key = await writer.create_key("other", scopes=(), per_minute=5, at=AT)
        await writer.touch_key(key.id, AT + 7)
    assert key == ApiKey(key.id, secret[:11], "partner", ("read", "share"), 60, AT)
    async with store.reader() as reader:
        assert await reader.find_key(secret) == replace(key, last_used_at=AT + 7)
        assert await reader.find_key(secret[:-1]) is None
        assert await reader.find_key("") is None
        assert await reader.keys() == [replace(key, last_used_at=AT + 7), other_key]
    async with store.writer() as writer:
        assert await writer.revoke_key(key.prefix, AT + 8)
        assert not await writer.revoke_key(key.id, AT + 9)
        assert not await writer.revoke_key("spot_", AT + 9)
    async with store.reader() as reader:
        assert await reader.find_key(secret) is None
        assert await reader.find_key(other) == other_key
        assert [kept.revoked_at for kept in await reader.keys()] == [AT + 8, None]


async def test_a_key_itself_is_nowhere_in_the_files(sqlite_tables: str) -> None:
    store = await open_store(sqlite_tables, writer=True)
    async with store.writer() as writer:
        secret, key = await writer.create_key("partner", scopes=("read",), per_minute=60, at=AT)
    assert secret.startswith(MARK)
    assert len(secret) - len(MARK) >= 43
    path = sqlite_tables.removeprefix("sqlite:///")
    written = _bytes(path) + _bytes(f"{path}-wal")
    assert key.prefix.encode() in written
    assert secret.encode() not in written
    assert secret[len(key.prefix) :].encode() not in written
    await store.close()


def _bytes(path: str) -> bytes:
    return Path(path).read_bytes()


async def test_hours_can_be_filled_in_again_and_again(store: Store) -> None:
    hours = [point(THIS_HOUR - n, 300_000 + n) for n in range(50)]
    filled = {(WORLD, Scope.VERIFIED): hours, ("EU-North", Scope.VERIFIED): hours[:3]}
    for _ in range(2):
        async with store.writer() as writer:
            await writer.bulk_hours(MODEL, filled)
    async with store.reader() as reader:
        assert await reader.hours([MODEL], 0) == {MODEL: hours[::-1]}
        assert await reader.hours(None, THIS_HOUR - 2, THIS_HOUR) == {MODEL: [hours[2], hours[1]]}
        assert await reader.hours(None, THIS_HOUR - 2, region="EU-North") == {MODEL: hours[2::-1]}
        assert await reader.hours([MODEL], 0, region="Atlantis") == await reader.hours(["B"], 0) == {}
        [row] = await reader.models()
        assert (row.first_hour, row.last_poll_at, row.followed) == (THIS_HOUR - 49, None, False)


async def test_exposure_of_any_span_is_the_sum_of_its_hours(store: Store) -> None:
    midnight = TODAY * 24
    by_hour = {("EU-North", midnight + n): Exposure(1 << n % 30, n, 1, 0, n % 2, 0, 0, 3) for n in range(80) if n % 7}
    async with store.writer() as writer:
        await writer.bulk_exposure(MODEL, {key: lived(9) for key in by_hour})
        await writer.bulk_exposure(MODEL, by_hour)
    edges = [0, 1, 22, 24, 25, 47, 48, 60, 72, 80]
    async with store.reader() as reader:
        for since, until in [(a, b) for a in edges for b in (*edges, None) if b is None or a <= b]:
            end = None if until is None else midnight + until
            want = [e for (_, hour), e in by_hour.items() if midnight + since <= hour and (end is None or hour < end)]
            found = await reader.exposure([MODEL], midnight + since, end)
            assert found == ({MODEL: {"EU-North": sum(want, Exposure())}} if want else {}), (since, until)
            assert [e for _, e in await reader.exposure_hours(MODEL, midnight + since, end)] == want


async def test_rounds_and_back_fill_add_to_the_same_days(store: Store) -> None:
    await save(store, entry())
    async with store.writer() as writer:
        await writer.bulk_exposure(MODEL, {("Asia-East", THIS_HOUR): lived(5), ("Asia-East", THIS_HOUR - 48): lived(7)})
    await save(store, entry(AT + 300))
    async with store.reader() as reader:
        want = {"EU-North": lived(2), "US-East": lived(4), "Asia-East": lived(12)}
        assert (await reader.exposure(None, THIS_HOUR - 24 * 9))[MODEL] == want


async def test_interruptions_come_newest_first_and_are_limited(store: Store) -> None:
    seen = [interruption(AT - 600 + n, AT + n) for n in range(5)]
    await save(store, entry(shadow=Shadow((), tuple(seen))))
    async with store.reader() as reader:
        assert await reader.interruptions(MODEL, AT + 1, limit=3) == seen[:1:-1]
        assert await reader.interruptions(MODEL, AT + 3) == seen[:2:-1]


async def test_quotes_of_an_hour_leave_out_the_neighbours_and_the_suspect(store: Store) -> None:
    await save(
        store,
        entry(AT - 1, price=1),
        entry(AT, price=2),
        entry(AT + 60, price=3, quality=Quality.SUSPECT),
        entry(AT + HOUR - 1, price=4),
        entry(AT + HOUR, price=5),
    )
    async with store.reader() as reader:
        found = await reader.quotes_in_hour(MODEL, THIS_HOUR)
        world = [(quote.at, quote.price) for quote in found[WORLD, Scope.VERIFIED]]
        assert world == [(AT, 2), (AT + HOUR - 1, 4)]
        assert found.keys() == {(WORLD, Scope.VERIFIED), (WORLD, Scope.ALL), ("EU-North", Scope.VERIFIED)}
        assert [quote.price for quote in await reader.points(MODEL, AT, scope=Scope.ALL)] == [3, 5, 6]


async def test_one_model_is_read_as_it_is_among_all(store: Store) -> None:
    async with store.writer() as writer:
        for model in ("RTX 4090", "H100 SXM"):
            await writer.bulk_hours(model, {})
    async with store.reader() as reader:
        assert [await reader.model(row.name) for row in await reader.models()] == await reader.models()
        assert await reader.model("RTX 9999") is None


async def test_more_names_than_their_ids_can_tell_apart_are_refused_whole(store: Store) -> None:
    many = {(f"Region {n}", Scope.VERIFIED): list[HourPoint]() for n in range(MOST_NAMES)}
    async with store.writer() as writer:
        await writer.bulk_hours(MODEL, dict(list(many.items())[1:]))
    with pytest.raises(StoreError, match=r"32,767 names of regions"):
        async with store.writer() as writer:
            await writer.bulk_hours("another", {("One", Scope.VERIFIED): [], ("Two", Scope.VERIFIED): []})
    async with store.reader() as reader:
        assert [row.name for row in await reader.models()] == [MODEL]


async def test_the_last_model_that_fits_is_taken_and_the_next_refused(store: Store) -> None:
    async with store.writer() as writer:
        await writer.bulk_hours("first", {})
        await writer._conn.execute(update(t.gpu).values(id=MOST_NAMES - 1))
    async with store.writer() as writer:
        await writer.bulk_hours("last", {})
    with pytest.raises(StoreError, match=r"32,767 names of models"):
        async with store.writer() as writer:
            await writer.bulk_hours("too many", {})
    async with store.reader() as reader:
        assert {row.name for row in await reader.models()} == {"first", "last"}
