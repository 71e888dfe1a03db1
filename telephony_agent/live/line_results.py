"""What the carrier's last word on a call that we placed means, where nobody was talked to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from telephony_agent.sales.disposition import LineResult

FINAL_STATUSES = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
UNANSWERED: Mapping[str, LineResult] = MappingProxyType(
    {
        "busy": LineResult.BUSY,
        "no-answer": LineResult.NO_ANSWER,
        "failed": LineResult.FAILED,
        # We gave it up before anybody answered.
        "canceled": LineResult.NO_ANSWER,
        # Somebody answered, and the carrier could not ask us what to do.
        "completed": LineResult.ABANDONED,
    }
)
