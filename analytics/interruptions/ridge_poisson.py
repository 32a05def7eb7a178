"""Poisson regression of hourly events on a basis of the week, given each week's total, with a ridge penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEPS, TOLERANCE = 25, 1e-8
"""Newton steps at most, and the change of a coefficient below which no more are made (ours: five usually do)."""


def expected_events(events: Array, held: Array, basis: Array, coefficients: Array) -> tuple[Array, Array]:
    """Events expected in each hour given those of its week, and the information on the coefficients."""
    import numpy as np

    weighted = held * np.exp(basis @ coefficients)
    sums = weighted.sum(axis=-1, keepdims=True)
    totals = events.sum(axis=-1, keepdims=True)
    expected = totals * np.divide(weighted, sums, out=np.zeros_like(weighted), where=sums > 0)
    means = expected @ basis
    flat, per_week = expected.reshape(-1, len(basis)).sum(axis=0), means.reshape(-1, basis.shape[1])
    counts = np.maximum(totals.reshape(-1, 1), 1.0)
    return expected, basis.T @ (flat[:, None] * basis) - per_week.T @ (per_week / counts)


def ridge(events: Array, held: Array, basis: Array, prior: Array, weight: float) -> Array:
    """Coefficients (k) of log-hazards, with the penalty weight / 2 x |coefficients - prior|^2.

    ``events`` and ``held`` hours are (week, 168), ``basis`` (168, k). Every week has a level of its
    own, which is conditioned on: Poisson counts given the week's total are multinomial. Newton's method on a concave
    function, steps at most 1. Source: McCullagh and Nelder 1989, section 6.4.
    """
    import numpy as np

    found = prior.copy()
    for _ in range(STEPS):
        expected, information = expected_events(events, held, basis, found)
        slope = ((events - expected) @ basis).sum(axis=0) - weight * (found - prior)
        step = np.linalg.solve(information + weight * np.eye(len(prior)), slope)
        found = found + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < TOLERANCE:
            break
    return found
