"""What can be made to go wrong with requests to Twilio's REST side, drawn from a seed or planned one by one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class RequestKind(StrEnum):
    """What a request is about."""

    CREATE_CALL = "create-call"
    UPDATE_CALL = "update-call"
    FETCH_CALL = "fetch-call"
    LIST_CALLS = "list-calls"
    NUMBERS = "numbers"
    RECORDINGS = "recordings"


class RestFault(StrEnum):
    """How a request goes wrong; the ``after`` ones have done what was asked, and the client can't know."""

    DELAY = "delay"
    TIMEOUT_BEFORE = "timeout-before"
    TIMEOUT_AFTER = "timeout-after"
    CUT_BEFORE = "cut-before"
    CUT_AFTER = "cut-after"
    ERROR_500 = "500"
    ERROR_503 = "503"
    TOO_MANY = "429"


@dataclass(frozen=True, slots=True)
class RestFaults:
    """The faults of a twin.

    ``planned`` gives the faults of the first requests of a kind, in order (``None``: none); after them each fault
    strikes by its share of ``shares`` (0 to 1, together at most 1). A delay lasts ``delay_ms``; a timeout holds the
    request for ``hold_ms`` at most, then cuts the connection.
    """

    planned: Mapping[RequestKind, Sequence[RestFault | None]] = field(default_factory=dict)
    shares: Mapping[RequestKind, Mapping[RestFault, float]] = field(default_factory=dict)
    delay_ms: int = 2_000
    hold_ms: int = 60_000


class FaultDraw:
    """Draws the fault of each request; the n-th of a kind is the same for the same seed, whatever else is asked."""

    def __init__(self, faults: RestFaults, seed: int) -> None:
        self._faults = faults
        self._seed = seed
        self._asked: Counter[RequestKind] = Counter()

    def draw(self, kind: RequestKind) -> RestFault | None:
        """Give the fault of the next request of a kind."""
        number = self._asked[kind]
        self._asked[kind] += 1
        planned = self._faults.planned.get(kind, ())
        if number < len(planned):
            return planned[number]
        chance = random.Random(f"{self._seed} {kind} {number}").random()  # noqa: S311 - draws a test's faults
        for fault, share in self._faults.shares.get(kind, {}).items():
            chance -= share
            if chance < 0:
                return fault
        return None
