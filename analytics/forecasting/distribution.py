"""What a forecast's range and confidence promise. Stdlib only: answers and rules read it."""

from __future__ import annotations

import math

ALPHA = 0.2
"""The share of outcomes that may fall outside an 80 % interval (source: definitions, "Forecasts")."""

HIT_SHARE = 0.05
"""How far from the forecast an actual price may lie to count as a hit (source: definitions, "Forecasts")."""

HIT_LOG = math.log1p(HIT_SHARE)
"""The same as |log error|, by which range and confidence are compared (source: definitions, "Forecasts")."""

ROUNDING = 1e-9
"""Levels and errors are compared to a billionth, so that 0.8 of ten is eight of them (ours)."""
