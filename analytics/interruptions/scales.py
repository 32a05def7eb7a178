"""What a model's own last days say of every figure about its interruptions, whatever period is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from analytics.interruptions.overdispersion import overdispersion
from analytics.interruptions.thinning import thinning
from analytics.interruptions.variants import Variant
from analytics.market import Exposure


class Scale(NamedTuple):
    """``overdispersion``: interruptions that count as one in intervals; ``thinning``: the factor of the MTBI."""

    overdispersion: float | None = None
    thinning: float | None = None
    lived: Mapping[Variant, Exposure] | None = None
    """what the variants of its tenants lived through, where that is stored"""


NO_SCALE = Scale()
"""Of a model of which nothing is stored."""


def factors(scale: Mapping[str, Scale]) -> dict[str, float | None]:
    """Model -> the factor of its MTBI."""
    return {model: one.thinning for model, one in scale.items()}


def scales(
    days: Mapping[str, Iterable[Exposure]], variants: Mapping[str, Mapping[Variant, Exposure]]
) -> dict[str, Scale]:
    """Model -> its scale. ``days``: model -> its single days; ``variants``: model -> variant -> sums over those days.

    None where a model's days do not tell. Source: definitions, "Interruptions".
    """
    none: Mapping[Variant, Exposure] = {}
    return {
        model: Scale(
            overdispersion(days.get(model, ())),
            thinning(variants.get(model, none).get(Variant.PLAIN), variants.get(model, none).get(Variant.THINNED)),
            variants.get(model),
        )
        for model in {*days, *variants}
    }
