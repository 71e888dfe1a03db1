"""``<Dial>``: a second leg to a person, with a whisper for that person first, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Final

from telephony_agent.simulator import twiml
from telephony_agent.simulator.call_record import CallRecord, CallStatus
from telephony_agent.simulator.callee import Callee
from telephony_agent.simulator.caller import Caller
from telephony_agent.simulator.commentary import Emit
from telephony_agent.simulator.dialling import DialPace, ring
from telephony_agent.simulator.events import EventKind
from telephony_agent.simulator.faults import Dialled
from telephony_agent.simulator.interpreter import Hooks, Interpreter, Line
from telephony_agent.simulator.orders import Document
from telephony_agent.simulator.twiml import TwimlError

_DECLINED: Final = "no-answer"
"""The DialCallStatus when the whisper's TwiML hangs up on the person (UNCONFIRMED)."""


async def dial_second_leg(
    verb: twiml.Dial, record: CallRecord, callee: Callee, line: Line, pace: DialPace, emit: Emit
) -> Dialled:
    """Ring a person, whisper, let the two talk; cancelled when the first leg ends before.

    Args:
        verb: what the TwiML asks for.
        record: the second leg's; it is at a final state afterwards, however it ends.
        callee: who is at the number.
        line: the second leg's, which the whisper's TwiML is asked for with.
        pace: how long things take.
        emit: takes what happens.
    """
    try:
        record.begin()
        rung = await ring(callee, verb.timeout_s, pace, asyncio.sleep, lambda: record.move(CallStatus.RINGING))
        if rung.status is not CallStatus.IN_PROGRESS:
            record.move(rung.status)
            return Dialled(rung.status.value, 0, record.sid)
        record.move(CallStatus.IN_PROGRESS)
        if verb.whisper_url and not await _whisper(verb, callee, line, emit):
            record.move(CallStatus.COMPLETED)
            return Dialled(_DECLINED, 0, record.sid)
        await asyncio.sleep(pace.bridged_ms / 1000)
        record.move(CallStatus.COMPLETED)
        return Dialled("completed", round(record.talked_s()), record.sid)
    finally:
        record.move(CallStatus.COMPLETED if record.answered else CallStatus.CANCELED)


async def _whisper(verb: twiml.Dial, callee: Callee, line: Line, emit: Emit) -> bool:
    """Run the whisper's TwiML; true if the two are to be connected."""

    async def refuse(_: twiml.Dial) -> Dialled:
        return Dialled("failed")

    hooks = Hooks(answer=lambda: None, emit=emit, dial=refuse, presses=lambda: callee.presses)
    interpreter = Interpreter(line, Caller(callee.script, (), line.seed), hooks)
    try:
        await interpreter.run(Document(verb.whisper_url, verb.whisper_method), line.parties.voice_form("in-progress"))
    except TwimlError as error:
        emit(EventKind.NOTICE, str(error.notice), None)
        return False
    return not any(isinstance(one, twiml.Hangup | twiml.Reject) for one in interpreter.verbs)
