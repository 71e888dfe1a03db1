"""Writes a call down as it goes: its turns, an opt-out the moment it is decided, and in the end what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from telephony_agent.core.conversation import Turn
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.outcome import Outcome
from telephony_agent.store import CallRecorder, Consent, NewCall, NextStep, TurnRecord
from telephony_agent.store import Outcome as OutcomeRecord

_LATEST = 3
"""Turns that may still change: an aside leaves the turn before it open."""


class CallBook:
    """One call's book. Nothing here raises or waits: see ``store.recorder``."""

    def __init__(self, recorder: CallRecorder, call: NewCall, guide: Guide | None = None) -> None:
        """Begin the book of a call that is expected."""
        self._recorder = recorder
        self._guide = guide
        self._written: dict[int, TurnRecord] = {}
        self._opted_out = False
        recorder.begin(call)

    def placed(self, call_sid: str) -> None:
        """Write down the carrier's name for it."""
        self._recorder.placed(call_sid)

    def answered(self) -> None:
        """Write down that its stream has begun."""
        self._recorder.answered(_now())

    def turns(self, turns: Sequence[Turn], *, all_of_them: bool = False) -> None:
        """Write down what is new in the latest turns, or in all."""
        for turn in turns if all_of_them else turns[-_LATEST:]:
            record = _record(turn)
            if self._written.get(turn.number) != record:
                self._written[turn.number] = record
                self._recorder.turn(record)
        if turns:
            self._note_opt_out(turns[-1])

    def hand_over(self, outcome: Outcome, turns: Sequence[Turn]) -> None:
        """Write down that a person is to take it; ``outcome`` is what is known by now."""
        self.turns(turns, all_of_them=True)
        self._recorder.hand_over(outcome_record(outcome))

    def conclude(self, outcome: Outcome, turns: Sequence[Turn]) -> None:
        """Write down how it ended."""
        self.turns(turns, all_of_them=True)
        self._recorder.finish(outcome_record(outcome))

    def _note_opt_out(self, turn: Turn) -> None:
        # A guess at the caller's words may be taken back; what was answered is said.
        if self._guide is not None and is_answered(turn) and self._guide.state.opted_out and not self._opted_out:
            self._opted_out = True
            self._recorder.opt_out(_now(), turn.transcript)


def is_answered(turn: Turn | TurnRecord) -> bool:
    """Tell whether the caller's words in a turn are final."""
    return "speculated" in turn.timings


def _record(turn: Turn) -> TurnRecord:
    return TurnRecord(
        number=turn.number,
        input=turn.input.value,
        transcript=turn.transcript,
        reply=turn.reply,
        reply_heard=turn.reply_heard,
        interrupted=turn.interrupted,
        started_ms=turn.started_ms,
        ended_ms=turn.ended_ms,
        timings=dict(turn.timings),
    )


def outcome_record(outcome: Outcome) -> OutcomeRecord:
    """Return what is stored of an outcome of now."""
    step, consent = outcome.next_step, outcome.consent
    return OutcomeRecord(
        disposition=outcome.disposition.value,
        line_result=outcome.line_result.value,
        ended_at=_now(),
        summary=outcome.summary,
        slots=dict(outcome.told),
        next_step=NextStep(step.kind.value, step.at, step.zone) if step is not None else None,
        consent=Consent(consent.basis.value, consent.text, consent.given_at) if consent is not None else None,
        opted_out=outcome.opted_out,
    )


def _now() -> datetime:
    return datetime.now(UTC)
