"""The one way in which the twin computes a percentile."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def percentile(values: Sequence[int], percent: int) -> int | None:
    """Compute a percentile (1 to 99) by linear interpolation; ``None`` of nothing, and a single value is its own."""
    if len(values) < 2:
        return values[0] if values else None
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1])
