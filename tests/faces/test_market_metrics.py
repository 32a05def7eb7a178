"""The gauges of models on /metrics: what is known and no more; and the dashboard that is drawn from them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from analytics.market import Poll, Quality
from bot.faces.http import metrics
from bot.store.writer import Entry

DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy" / "grafana-dashboard.json").read_text(encoding="utf-8"))
OF_A_MODEL = {name for name, _, _ in metrics.PER_MODEL}


async def exposed(house) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """The samples of /metrics by name and labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    async with house.client() as web:
        await web.get("/api/spot/price/RTX%204090")
        text = (await web.get("/metrics")).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def of(told: dict, model: str) -> dict[str, float]:
    """The figures of one model."""
    key = (("gpu", model),)
    return {name: told[name][key] for name in OF_A_MODEL if key in told.get(name, {})}


AGE = "spotbot_model_poll_age_seconds"


async def test_a_models_market_is_told_as_its_latest_complete_poll_saw_it(house):
    await house.polled(0.4)
    await house.polled(1.25, model="H100 SXM")
    house.clock.now += 60
    told = await exposed(house)
    assert of(told, "RTX 4090") == {
        "spotbot_spot_price_usd": 0.4,
        "spotbot_floor_price_usd": 0.4,
        "spotbot_on_demand_price_usd": 0.8,
        "spotbot_free_gpus": 5,
        "spotbot_free_offers": 3,
    }
    assert of(told, "H100 SXM")["spotbot_spot_price_usd"] == 1.25
    assert told[AGE] == {(("gpu", "RTX 4090"),): 60, (("gpu", "H100 SXM"),): 60}


async def test_what_is_not_fresh_is_absent_and_its_age_stays(house):
    await house.polled()
    assert of(await exposed(house), "RTX 4090")
    house.clock.now += 901
    told = await exposed(house)
    assert of(told, "RTX 4090") == {}
    assert told[AGE] == {(("gpu", "RTX 4090"),): 901}


async def test_one_exposition_keeps_nothing_of_the_last(house):
    async with house.client() as web:
        await house.polled()
        assert 'spotbot_spot_price_usd{gpu="RTX 4090"} 0.4' in (await web.get("/metrics")).text
        house.clock.now += 901
        assert "spotbot_spot_price_usd{" not in (await web.get("/metrics")).text


async def test_a_market_with_nothing_on_offer_has_no_price_and_no_free_gpu(house):
    at = house.clock.now
    from analytics.prices import quotes

    async with house.dispatcher.store.writer() as writer:
        poll = Poll("RTX 4090", at, Quality.COMPLETE, interval=300)
        await writer.save_round(at, [Entry(poll, quotes=quotes((), at), rows=0)])
    assert of(await exposed(house), "RTX 4090") == {"spotbot_free_gpus": 0, "spotbot_free_offers": 0}


async def test_a_model_that_was_never_polled_well_is_absent(house):
    await house.polled(quality=Quality.FAILED)
    told = await exposed(house)
    assert of(told, "RTX 4090") == {}
    assert AGE not in told


async def test_there_are_no_more_models_than_allowed(house, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metrics, "MOST_MODELS", 2)
    for model in ("RTX 4090", "H100 SXM", "L40S"):
        await house.polled(model=model)
    assert len((await exposed(house))[AGE]) == 2


# -- the dashboard


def expressions() -> Iterator[str]:
    """Every PromQL expression: of panels, and of the variables."""
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (one["definition"] for one in DASHBOARD["templating"]["list"] if "definition" in one)


async def test_every_metric_and_label_of_the_dashboard_is_exposed(house):
    await house.polled()
    told = await exposed(house)
    added = {"job"}  # by the Prometheus that scrapes
    seen = set()
    for expression in expressions():
        names = re.findall(r"\bspotbot_\w+", expression)
        assert names, expression
        labels = set(re.findall(r"(\w+)\s*=~?\s*\"", expression))
        labels |= {name for some in re.findall(r"by \(([^)]*)\)", expression) for name in some.split(", ")}
        labels |= set(re.findall(r"label_values\(\w+, (\w+)\)", expression))
        for name in names:
            assert name in told, expression
            known = {label for sample in told[name] for label, _ in sample}
            assert labels - added <= known, expression
        seen |= set(names)
    ends = ("_created", "_bucket", "_sum", "_count")
    missing = {name for name in told if name not in seen and not name.endswith(ends)}
    assert not missing, "the dashboard does not show them"


def test_legends_name_labels_that_their_expression_keeps() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            kept = {name for some in re.findall(r"by \(([^)]*)\)", target["expr"]) for name in some.split(", ")}
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, target


def test_the_dashboard_is_what_grafana_imports() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    assert "id" not in DASHBOARD, "a number of one Grafana's own"
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) - {"__rate_interval"}
    assert used == set(variables)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    sources = [one["datasource"] for panel in DASHBOARD["panels"] for one in (panel, *panel.get("targets", ()))
               if panel["type"] != "row"]  # fmt: skip
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_no_two_panels_overlap() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not [pair for pair in combinations(places, 2) if _overlap(*pair)]


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    across = one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
    return across and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
