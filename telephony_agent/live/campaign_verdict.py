"""Says what follows for a campaign from a call that is over: is its lead done, and was it abandoned?"""

from __future__ import annotations

from datetime import datetime

from telephony_agent.sales.campaign import FIRST_WORDS_S, RetryRules, too_many_abandoned
from telephony_agent.sales.disposition import LineResult
from telephony_agent.store import Transcript, Verdict


def verdict_of(told: Transcript, rules: RetryRules) -> Verdict:
    """Return what follows from a call that has its outcome."""
    outcome = told.call.outcome
    assert outcome is not None, "the call is over"
    result = outcome.line_result if outcome.line_result in set(LineResult) else LineResult.FAILED.value

    def again_at(times: int) -> datetime | None:
        return None if outcome.opted_out else rules.again_at(result, times, outcome.ended_at)

    return Verdict(
        line_result=result,
        disposition=outcome.disposition,
        answered=result in (LineResult.ANSWERED, LineResult.ABANDONED),
        abandoned=is_abandoned(told),
        again_at=again_at,
        hold=_why_held,
    )


def is_abandoned(told: Transcript) -> bool:
    """Tell whether somebody answered, was on the line longer than they may have to wait, and heard nobody of ours.

    The greeting begins with the stream, so who hears it hears it in time; who hangs up sooner was not kept waiting.
    """
    call, outcome = told.call, told.call.outcome
    if outcome is None or outcome.line_result == LineResult.ABANDONED:
        return outcome is not None
    if outcome.line_result != LineResult.ANSWERED or call.answered_at is None:
        return False
    waited_s = (outcome.ended_at - call.answered_at).total_seconds()
    return waited_s > FIRST_WORDS_S and not any(turn.reply_heard for turn in told.turns)


def _why_held(answered: int, abandoned: int) -> str:
    if not too_many_abandoned(answered, abandoned):
        return ""
    return (
        f"{abandoned} of {answered} answered calls were abandoned, which is more than 3 %: "
        "see what kept the agent from speaking, then resume the campaign"
    )
