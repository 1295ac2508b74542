"""Figures with their spread: never a number by itself."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of what was measured, between its quartiles."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    if len(values) < 2:
        [value] = values
        return Spread(value, value, value, 1)
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high, len(values))


def ratio(values: Sequence[float], to: Sequence[float]) -> Spread:
    """
    Return the ratio of what was measured in each round to what the other one had in
    the same round, so that a machine that slows down does so for both.
    """
    return spread([value / base for value, base in zip(values, to, strict=True)])


def difference(values: Sequence[float], to: Sequence[float]) -> Spread:
    """Return the difference to what the other one had in the same round."""
    return spread([value - base for value, base in zip(values, to, strict=True)])


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
