"""How a call ended, in one word, by rule.

``line_result`` is the carrier's word on the line, ``disposition`` the business's on the call. No model has a say in it:
where only the meaning of the talk would decide, the most cautious word stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LineResult(StrEnum):
    """What came of dialling."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    VOICEMAIL = "voicemail"
    FAILED = "failed"
    ABANDONED = "abandoned"
    """They answered, and we had nobody to talk to them."""


class Disposition(StrEnum):
    """The one final business word on a call."""

    MEETING_BOOKED = "meeting_booked"
    CALLBACK = "callback"
    QUALIFIED = "qualified"
    NOT_QUALIFIED = "not_qualified"
    NOT_INTERESTED = "not_interested"
    DO_NOT_CALL = "do_not_call"
    WRONG_NUMBER = "wrong_number"
    TRANSFERRED = "transferred"
    VOICEMAIL_LEFT = "voicemail_left"
    NOT_REACHED = "not_reached"
    """Nobody was talked to: busy, no answer, a mailbox without a message, silence."""
    HUNG_UP = "hung_up"
    FAILED = "failed"


class CallEnd(StrEnum):
    """Why the talk ended; the values are those of the call's own end reasons."""

    CALLER = "caller"
    LINE = "line"
    AGENT = "agent"
    GOODBYE = "goodbye"
    SILENCE = "silence"
    TRANSFER = "transfer"
    TIME_LIMIT = "time_limit"
    FAULT = "fault"
    SHUTDOWN = "shutdown"
    MACHINE = "machine"
    OPERATOR = "operator"


class Fit(StrEnum):
    """What the qualification has shown."""

    QUALIFIED = "qualified"
    NOT_QUALIFIED = "not_qualified"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Findings:
    """What the guide knows of a call when it ends: all that the disposition depends on."""

    caller_turns: int = 0
    opted_out: bool = False
    wrong_number: bool = False
    meeting_confirmed: bool = False
    meeting_heard: bool = False
    callback_wanted: bool = False
    refusals: int = 0
    left: bool = False
    """Whether they refused so often that we left."""
    fit: Fit = Fit.UNKNOWN
    concluded: Disposition | None = None
    """What their answer to a question that concludes the call stands for."""
    voicemail_left: bool = False


_BROKEN = frozenset({CallEnd.LINE, CallEnd.FAULT, CallEnd.SHUTDOWN})


def disposition_of(findings: Findings, line: LineResult, end: CallEnd | None) -> Disposition:
    """Return the disposition.

    Args:
        findings: what the guide knows.
        line: the carrier's result.
        end: why the talk ended; None if there was none.
    """
    if findings.opted_out:
        return Disposition.DO_NOT_CALL
    if line is not LineResult.ANSWERED:
        return _unanswered(line, findings)
    if findings.wrong_number:
        return Disposition.WRONG_NUMBER
    if end is CallEnd.TRANSFER:
        return Disposition.TRANSFERRED
    if findings.meeting_confirmed or findings.concluded is Disposition.MEETING_BOOKED:
        return Disposition.MEETING_BOOKED
    if findings.left:
        return Disposition.NOT_INTERESTED
    if findings.concluded is not None:
        return findings.concluded
    if findings.callback_wanted:
        return Disposition.CALLBACK
    if findings.meeting_heard:
        # The time was never confirmed, so somebody had better call than nobody come.
        return Disposition.CALLBACK
    return _talked(findings, end)


def hubspot_outcome(disposition: Disposition, line: LineResult) -> str:
    """Return HubSpot's default call outcome (its label) for a call."""
    if disposition is Disposition.WRONG_NUMBER:
        return "Wrong number"
    match line:
        case LineResult.BUSY:
            return "Busy"
        case LineResult.VOICEMAIL:
            return "Left voicemail" if disposition is Disposition.VOICEMAIL_LEFT else "No answer"
        case LineResult.NO_ANSWER | LineResult.FAILED:
            return "No answer"
        case LineResult.ANSWERED | LineResult.ABANDONED:
            return "No answer" if disposition is Disposition.NOT_REACHED else "Connected"


def _unanswered(line: LineResult, findings: Findings) -> Disposition:
    match line:
        case LineResult.VOICEMAIL if findings.voicemail_left:
            return Disposition.VOICEMAIL_LEFT
        case LineResult.FAILED | LineResult.ABANDONED:
            return Disposition.FAILED
    return Disposition.NOT_REACHED


def _talked(findings: Findings, end: CallEnd | None) -> Disposition:
    """Decide a talk that brought no next step."""
    if findings.caller_turns == 0:
        match end:
            case CallEnd.CALLER:
                return Disposition.HUNG_UP
            case CallEnd.SILENCE:
                return Disposition.NOT_REACHED
            case _:
                return Disposition.FAILED
    if findings.refusals:
        return Disposition.NOT_INTERESTED
    match findings.fit:
        case Fit.QUALIFIED:
            return Disposition.QUALIFIED
        case Fit.NOT_QUALIFIED:
            return Disposition.NOT_QUALIFIED
    if end in _BROKEN or end is None:
        return Disposition.FAILED
    if end is CallEnd.CALLER:
        return Disposition.HUNG_UP
    return Disposition.NOT_QUALIFIED
