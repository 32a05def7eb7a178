"""What the models of one kind say of a rare one of them: the Gamma prior to which its rate is shrunk."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from analytics.interruptions.thinning import effective_hours
from analytics.market import Exposure

SHRINK_BELOW = 10
"""With fewer interruptions a model's rate is shrunk to its class (source: definitions, "Interruptions")."""

MIN_CLASS = 3
"""A class prior needs this many models: with two, their spread is one difference (ours)."""

_GEFORCE = re.compile(r"(?:RTX|GTX) (?:\d0|16)[5-9]0\b")


class Prior(NamedTuple):
    """A Gamma prior of a rate: as if ``events`` had been seen in ``hours``."""

    events: float
    hours: float


def kind(model: str) -> str:
    """The class a model's rate is shrunk to: people rent out GeForce cards, businesses the others."""
    return "geforce" if _GEFORCE.match(model) else "professional"


def class_prior(exposures: Mapping[str, Exposure], thinning: Mapping[str, float | None] | None = None) -> Prior | None:
    """The Gamma prior that models of one kind make, by the method of moments; None from too few models or events.

    ``exposures``: model -> exposure; ``thinning``: model -> the factor of its MTBI. Where the models do not differ
    beyond chance it weighs as much as all of them.
    Source: definitions ("shrunk to its class by a Gamma prior"); empirical Bayes, DerSimonian-Laird moments.
    """
    factors = thinning or {}
    sampled = [
        (e.events, hours * (factors.get(model) or 1.0))
        for model, e in exposures.items()
        if e.held_s and (hours := effective_hours(e))
    ]
    events, hours = sum(k for k, _ in sampled), math.fsum(t for _, t in sampled)
    if len(sampled) < MIN_CLASS or events < SHRINK_BELOW:
        return None
    mean = events / hours
    spread = math.fsum(t * (k / t - mean) ** 2 for k, t in sampled) - (len(sampled) - 1) * mean
    variance = spread / (hours - math.fsum(t * t for _, t in sampled) / hours)
    weight = min(hours, mean / variance) if variance > 0 else hours
    return Prior(mean * weight, weight)


def priors(
    exposures: Mapping[str, Exposure], thinning: Mapping[str, float | None] | None = None
) -> dict[str, Prior | None]:
    """Model -> the prior of its kind."""
    kinds: dict[str, dict[str, Exposure]] = {}
    for model, exposure in exposures.items():
        kinds.setdefault(kind(model), {})[model] = exposure
    fitted = {name: class_prior(members, thinning) for name, members in kinds.items()}
    return {model: fitted[kind(model)] for model in exposures}
