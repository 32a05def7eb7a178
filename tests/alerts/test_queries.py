"""What a round and the clock read of the rules is found by an index, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from bot.alerts.state import initial
from bot.store.engine import Store
from bot.store.writer import Writer
from tests.fakes.alerting import MODEL, START, market, rule

RULES = 300


async def _plans(writer: Writer, read: str) -> list[str]:
    series = await writer.alerts.series([MODEL])
    arguments: dict[str, tuple[Any, ...]] = {
        "series": ([MODEL],),
        "woken": (dict.fromkeys(series, 400_000), START),
        "due": (START, 10_000),
        "unheard": (series, START, 10_000),
    }
    said: list[tuple[str, Sequence[Any]]] = []
    engine = writer._conn.sync_engine

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    await getattr(writer.alerts, read)(*arguments[read])
    event.remove(engine, "before_cursor_execute", note)
    ((statement, parameters),) = said
    plan = await writer._conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))
    return [row[3] for row in plan]


@pytest.mark.parametrize("read", ["series", "woken", "due", "unheard"])
@pytest.mark.parametrize("database_tables", ["sqlite_tables"], indirect=True)
async def test_no_rule_is_read_but_those_that_are_asked_for(store: Store, read: str) -> None:
    market_ = await market(store)
    await market_.add_all(
        [rule(threshold=300_000 + n) for n in range(RULES)], lambda one: replace(initial(one), armed=True)
    )
    async with store.writer() as writer:
        plan = await _plans(writer, read)
    assert any("alert" in step for step in plan)
    assert not [step for step in plan if step.startswith("SCAN alert")]
