"""What is kept of the calls of a server: their books, their watches from stream to stream, their outcomes."""

from __future__ import annotations

from dataclasses import replace

from loguru import logger

from telephony_agent.core.events import EndReason
from telephony_agent.core.media_stream import Started
from telephony_agent.core.trace import header_of
from telephony_agent.live.call import Call
from telephony_agent.live.call_book import CallBook
from telephony_agent.live.call_recording import CallRecording
from telephony_agent.live.sales_desk import outcome_of
from telephony_agent.live.watch import CallWatch, Watch
from telephony_agent.sales.disposition import LineResult
from telephony_agent.store import NewCall


class CallRecords:
    """Keeps the records of all calls. Nothing here changes what a call does."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def open(self, call: Call, new: NewCall | None = None) -> None:
        """Begin the book of a call, where books are kept; ``new`` is what it begins with if we place the call."""
        if self._watch.recorder is not None:
            call.book = CallBook(self._watch.recorder.call(call.call_id), new or _new_call(call), call.guide)

    def watch_over(self, call: Call, started: Started) -> CallWatch:
        """Watch a stream of a call, its first one or a further one."""
        log = logger.bind(call_sid=call.call_sid, stream_sid=started.stream_sid, direction=call.direction)
        traces, recordings = self._watch.traces, self._watch.recordings
        recording = CallRecording(recordings.open(call.call_id)) if recordings is not None else None
        if call.watch is not None:
            call.watch.stream_began(log, recording)
            return call.watch
        told = call.setting.as_data() if call.setting is not None else {}
        header = header_of(call.terms.rules, call.terms.said, call.terms.policy, told)
        trace = traces.open(call.call_id, header) if traces is not None else None
        call.watch = CallWatch(self._watch, log, trace, call.book, recording)
        return call.watch

    def hand_over(self, call: Call) -> None:
        """Write down that a person is to take a call, with what is known by now."""
        if call.book is not None and call.guide is not None and call.setting is not None:
            so_far = outcome_of(call.guide, call.setting, EndReason.TRANSFER)
            call.book.hand_over(replace(so_far, summary=call.whisper), call.flow.conversation.turns)

    def conclude(self, call: Call, reason: EndReason | None, line: LineResult | None = None) -> None:
        """Write the record of a call; ``reason`` is None where nobody talked."""
        if call.guide is None or call.setting is None:
            return
        if line is None and call.flow.answered_by_machine:
            line = LineResult.VOICEMAIL
        call.outcome = outcome_of(call.guide, call.setting, reason, line, voicemail_left=call.flow.message_left)
        log = logger.bind(call_id=call.call_id, line_result=call.outcome.line_result.value)
        log.bind(disposition=call.outcome.disposition.value).info("A call is concluded")
        if call.book is not None:
            call.book.conclude(call.outcome, call.flow.conversation.turns)


def _new_call(call: Call) -> NewCall:
    outbound = call.outbound
    return NewCall(
        call_id=call.call_id,
        direction="outbound" if outbound else "inbound",
        started_at=call.began_at,
        number=call.to_number if outbound else call.from_number,
        our_number=call.from_number if outbound else call.to_number,
        call_sid=call.call_sid,
        playbook_id=call.playbook_id,
    )
