"""Which pages there are, and which questions are on each: every panel is one command, asked as anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Panel:
    """One answer on a page. ``takes``: parameters of the command that the page's own parameters fill, by name."""

    name: str
    verb: str
    takes: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    """texts of parameters where the page says none"""
    wide: bool = False
    offers: bool = False
    """shows what can be rented; once a page is enough"""

    def texts(self, said: Mapping[str, str]) -> dict[str, str]:
        """The texts of the command's parameters, from those of the page."""
        filled = {theirs: said[ours] for theirs, ours in self.takes.items() if said.get(ours)}
        return {**self.fixed, **filled}


@dataclass(frozen=True, slots=True)
class Control:
    """A field above the panels: a parameter of the page, described as the command's parameter is."""

    name: str
    verb: str
    param: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of panels. ``seconds``: how long it may show what it shows before it asks anew, when there is more."""

    name: str
    title: str
    path: str
    summary: str
    seconds: int
    controls: tuple[Control, ...]
    panels: tuple[Panel, ...]
    in_menu: bool = True

    @property
    def defaults(self) -> dict[str, str]:
        """What its parameters are where its address does not say."""
        return {
            ours: panel.fixed[theirs]
            for panel in self.panels
            for theirs, ours in panel.takes.items()
            if theirs in panel.fixed
        }


ALL = {"limit": "500"}
"""Of a list of models a page has room for all: as many as commands list at most."""

GPU = {"gpu": "gpu"}
GPU_NAME = {"gpu_name": "gpu"}

OF_A_JOB = (
    Control("hours", "savings", "hours"),
    Control("model", "cost", "model"),
    Control("budget", "fleet", "budget"),
)
"""What a job is: how long, of which language model, for how much a month."""

MARKET = Page(
    "market",
    "Market",
    "/dash/market",
    "Prices and availability by region",
    30,
    (Control("gpu", "history", "gpu_name"), Control("days", "history", "days")),
    (
        Panel("prices", "monitor", fixed=ALL, wide=True),
        Panel("history", "history", {**GPU_NAME, "days": "days"}, wide=True),
        Panel("regions", "availability", GPU, offers=True),
        Panel("status", "status"),
    ),
)
RELIABILITY = Page(
    "reliability",
    "Reliability",
    "/dash/reliability",
    "Interruption rates and scores",
    900,
    (Control("gpu", "reliability", "gpu"), Control("period", "interruptions", "period")),
    (
        Panel("rates", "interruptions", {"period": "period"}, ALL, wide=True),
        Panel("score", "reliability", GPU, wide=True, offers=True),
        Panel("hours", "windows", GPU_NAME, wide=True),
    ),
)
COST = Page(
    "cost",
    "Cost",
    "/dash/cost",
    "Forecasts, safe hours, and what a job costs",
    300,
    (
        Control("gpu", "predict", "gpu_name"),
        *OF_A_JOB,
    ),
    (
        Panel("forecast", "predict", GPU_NAME, wide=True, offers=True),
        Panel("hours", "windows", GPU_NAME, wide=True),
        Panel("savings", "savings", {**GPU, "hours": "hours"}),
        Panel("training", "cost", {**GPU, "model": "model"}, {"model": "llama2-7b"}, offers=True),
        Panel("fleet", "fleet", {"budget": "budget"}, {"budget": "500"}, wide=True, offers=True),
    ),
)
MODEL = Page(
    "gpu",
    "GPU",
    "/gpu/{gpu}",
    "All that there is to know of one model",
    60,
    (
        Control("days", "history", "days"),
        *OF_A_JOB,
    ),
    (
        Panel("price", "monitor", GPU, wide=True, offers=True),
        Panel("history", "history", {**GPU_NAME, "days": "days"}, wide=True),
        Panel("forecast", "predict", GPU_NAME, wide=True),
        Panel("accuracy", "accuracy", GPU_NAME, wide=True),
        Panel("regions", "availability", GPU),
        Panel("score", "reliability", GPU),
        Panel("rates", "interruptions", GPU),
        Panel("hours", "windows", GPU_NAME, wide=True),
        Panel("savings", "savings", {**GPU, "hours": "hours"}),
        Panel("training", "cost", {**GPU, "model": "model"}, {"model": "llama2-7b"}, offers=True),
        Panel("models", "llm", {"model_size": "model"}, {"model_size": "llama2-7b"}),
        Panel("fleet", "fleet", {"budget": "budget"}, {"budget": "500"}, offers=True),
    ),
    in_menu=False,
)

PAGES = (MARKET, RELIABILITY, COST, MODEL)
