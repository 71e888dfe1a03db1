"""Ringing a telephone: how long it takes, and what comes of it, by who is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, assert_never

from telephony_agent.simulator.call_record import CallStatus
from telephony_agent.simulator.callee import Answer, Callee

_REAL_RING_MS: Final = 6000


@dataclass(frozen=True, slots=True)
class DialPace:
    """How long dialling takes; tests make it shorter.

    ``dial_ms`` is from initiated to ringing; ``ring_ms`` one ring and the pause after it, and shorter ones make a ring
    timeout shorter in the same measure; ``webhook_ms`` from the pick-up, which is reported at once, to the voice
    webhook (captured: 75); ``detection_ms`` puts a fixed time in the place of what detection needs by its thresholds;
    ``bridged_ms`` is how long a caller and the person that ``<Dial>`` reached talk.
    """

    dial_ms: int = 400
    ring_ms: int = _REAL_RING_MS
    webhook_ms: int = 75
    detection_ms: int | None = None
    bridged_ms: int = 10_000

    def ring_timeout_s(self, timeout_s: float) -> float:
        """Give the time after which a telephone that nobody answers is given up."""
        return timeout_s * self.ring_ms / _REAL_RING_MS


@dataclass(frozen=True, slots=True)
class Rung:
    """What came of it: ``in-progress`` when somebody answered, else a final state; and the SIP answer behind it."""

    status: CallStatus
    sip_response: int


async def ring(
    callee: Callee,
    timeout_s: float,
    pace: DialPace,
    wait: Callable[[float], Awaitable[None]],
    on_ringing: Callable[[], None],
) -> Rung:
    """Dial somebody, and wait for what happens.

    Args:
        callee: who is at the number.
        timeout_s: the ring timeout of the order.
        pace: how long things take.
        wait: lets so many seconds pass, and may raise.
        on_ringing: called when the telephone begins to ring, if it does.
    """
    await wait(pace.dial_ms / 1000)
    if callee.answer is Answer.FAILS:
        return Rung(CallStatus.FAILED, 404)
    if callee.answer is Answer.BUSY:
        return Rung(CallStatus.BUSY, 486)
    on_ringing()
    limit_s, rings_s = pace.ring_timeout_s(timeout_s), callee.rings * pace.ring_ms / 1000
    if callee.answer is Answer.NO_ANSWER or rings_s > limit_s:
        await wait(limit_s)
        return Rung(CallStatus.NO_ANSWER, 480)
    await wait(rings_s)
    match callee.answer:
        case Answer.REJECTS:
            return Rung(CallStatus.BUSY, 603)
        case Answer.ANSWERS:
            return Rung(CallStatus.IN_PROGRESS, 200)
        case _:
            assert_never(callee.answer)
