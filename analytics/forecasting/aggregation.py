"""Bernstein online aggregation: how much each expert has earned, by what it foretold and what came.

Source: Wintenberger, "Optimal learning with Bernstein online aggregation", Machine Learning 106 (2017), in the gradient
form for the absolute error, with second-order adaptive learning rates. An outcome is learnt ``horizon`` hours after its
origin, so nothing is known before its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.forecasting.panel import Array

Weights = npt.NDArray[np.float64]
"""(learners, experts), each row adding up to 1."""


class Aggregate(NamedTuple):
    """``changes``: the aggregated forecast by series and origin; ``weights``: those of the last hour."""

    changes: Array
    weights: Weights


def aggregate(
    foretold: Array, came: Array, horizon: int, *, together: bool = False, prior: Sequence[float] | None = None
) -> Aggregate:
    """Aggregate experts hour by hour.

    ``foretold``: (experts, series, hours) changes of log price without NaN; ``came``: (series, hours) what came, NaN
    where it was not observed; ``together``: one set of weights learnt by all series, else each learns its own;
    ``prior``: weights to begin with, alike by default.
    """
    experts, series, hours = foretold.shape
    learner = _Learner(1 if together else series, np.full(experts, 1 / experts) if prior is None else np.array(prior))
    changes = np.zeros((series, hours))
    for hour in range(hours):
        origin = hour - horizon
        if origin >= 0:
            observed = np.isfinite(came[:, origin])
            if observed.any():
                said, all_said = changes[:, origin], foretold[:, :, origin].T
                side = np.sign(said - np.where(observed, came[:, origin], said))
                regret = side[:, None] * (said[:, None] - all_said)
                learner.learn(regret[observed].mean(axis=0, keepdims=True) if together else regret)
        changes[:, hour] = (learner.weights * foretold[:, :, hour].T).sum(axis=1)
    return Aggregate(changes, learner.weights)


class _Learner:
    """The regrets to each expert so far, and the weights that they make."""

    def __init__(self, learners: int, prior: Weights) -> None:
        self.prior = np.log(prior)
        self.regret, self.squares = (np.zeros((learners, len(prior))) for _ in range(2))
        self.largest = np.zeros((learners, 1))
        self.weights: Weights = np.broadcast_to(prior, (learners, len(prior)))

    def learn(self, regret: Weights) -> None:
        """Take in one hour's regrets: (learners, experts), 0 where nothing was observed."""
        self.largest = np.maximum(self.largest, np.abs(regret).max(axis=1, keepdims=True))
        self.squares = self.squares + regret**2
        with np.errstate(all="ignore"):
            bound = np.where(self.largest > 0, 2 ** np.ceil(np.log2(self.largest)), 1.0)
            rate = np.where(self.squares > 0, np.sqrt(-self.prior / self.squares), np.inf)
        rate = np.minimum(1 / (2 * bound), rate)
        self.regret = self.regret + (regret - rate * regret**2 + bound * (2 * rate * regret > 1)) / 2
        logs = np.log(rate) + self.prior + rate * self.regret
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        self.weights = weights / weights.sum(axis=1, keepdims=True)
