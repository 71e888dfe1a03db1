"""Concludes the calls of a server that died: what was written of each is told to a new guide, turn by turn.

A guide decides by the words alone, so it comes to the state that the lost one had: a meeting that was agreed on aloud
is booked, whoever wanted no more calls gets none, although nobody was left to conclude the call. Words that were not
yet answered are left out: they were a guess, or the caller was not done. What a tool did is not done again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from loguru import logger

from telephony_agent.core.conversation import Conversation, Turn, TurnInput
from telephony_agent.core.events import EndReason
from telephony_agent.live.call_book import is_answered, outcome_record
from telephony_agent.live.sales_desk import SalesDesk, outcome_of
from telephony_agent.sales.disposition import LineResult
from telephony_agent.store import Outcome, Transcript, TurnRecord

_WORDS = (TurnInput.SPEECH, TurnInput.DTMF)


def retold(told: Transcript, desk: SalesDesk, line: LineResult | None = None) -> Outcome | None:
    """Return what came of a call that was cut short, by what is written of it; None if that can't be made out.

    ``line`` is the carrier's result, where it is known.
    """
    try:
        return _retold(told, desk, line)
    except Exception:  # a call's outermost edge: an old one must not keep the server from taking new ones
        logger.bind(call_id=told.call.call.call_id).exception("A call that was cut short can't be retold")
        return None


def _retold(told: Transcript, desk: SalesDesk, line: LineResult | None) -> Outcome:
    call = told.call.call
    setting = desk.setting(call.number)
    if call.channel != "phone":
        setting = replace(setting, can_transfer=False)
    guide = desk.guide(setting)
    conversation = Conversation("", budget=0, count=len)
    conversation.turns += [_turn(record) for record in told.turns]
    began_at = told.call.answered_at or call.started_at
    for turn in conversation.turns:
        if turn.input in _WORDS and is_answered(turn):
            at = began_at + timedelta(milliseconds=turn.ended_ms)
            guide.take(turn.number, turn.transcript, conversation.heard_before(turn.number), at)
    guide.close(conversation.heard_before(len(conversation.turns)))
    reason = EndReason.LINE if told.call.answered_at is not None else None
    message = setting.playbook.voicemail
    left = bool(message) and any(turn.reply_heard == message for turn in conversation.turns)
    if left:
        line = LineResult.VOICEMAIL
    return outcome_record(outcome_of(guide, setting, reason, line, voicemail_left=left))


def _turn(record: TurnRecord) -> Turn:
    return Turn(
        record.number,
        TurnInput(record.input),
        started_ms=record.started_ms,
        ended_ms=record.ended_ms,
        transcript=record.transcript,
        reply=record.reply,
        reply_heard=record.reply_heard,
        interrupted=record.interrupted,
        timings=dict(record.timings),
    )
