"""Rules on the built-in tools when the model calls one: what the model wants is a request, and decided here.

====================  ==========================================================================================
the model calls       what follows
====================  ==========================================================================================
``end_call``          the call ends, as at ``[END_CALL]``, if there is a reason (``leave_taking``); else it goes on
``transfer_to_human`` the fixed words, and the transfer, if there is somebody; else the model is told that there is
                      nobody, and the caller is to be called back
``schedule_callback`` the time is read from the words and read back; it counts when the caller says yes
``send_information``  noted, if the caller has confirmed an e-mail address; else the model is told to ask for it
anything else         refused, and the model is told why
====================  ==========================================================================================

A time that the model names is only *proposed*: unlike the caller's own it fills no slot until it is confirmed, so what
a model makes up is in no outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from telephony_agent.sales.guide_state import Advice, GuideState, Setting, Then
from telephony_agent.sales.moments import Moment, read_moment
from telephony_agent.sales.sales_phrases import Signal
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.tools import BUILT_IN, ToolCallError, unknown_tool
from telephony_agent.sales.values import SlotName
from telephony_agent.sales.words import plain, tokens

_MAX_TOPIC = 80


@dataclass(frozen=True, slots=True)
class Ruling:
    """What follows a call: fixed words, an end, or a result with which the model goes on."""

    say: str = ""
    then: Then = Then.GO_ON
    result: str = ""


def rule_on(
    name: str,
    arguments: Mapping[str, Any],
    state: GuideState,
    setting: Setting,
    say: Mapping[str, str],
    now: datetime,
) -> tuple[GuideState, Ruling]:
    """Rule on a call of a built-in tool; return what is known after it, and what follows.

    Args:
        say: the fixed words, by their names.
        now: the present, aware.
    """
    offered: tuple[str, ...] = setting.playbook.tools
    if name not in offered:
        return state, Ruling(result=unknown_tool(name, offered))
    try:
        given = BUILT_IN[name].read(arguments)
    except ToolCallError as error:
        return state, Ruling(result=str(error))
    match name:
        case "end_call":
            return state, Ruling(then=Then.END, result="The call ends.")
        case "transfer_to_human":
            return _transfer(state, setting)
        case "schedule_callback":
            return _propose(state, setting, say, given["when"], now)
        case _:
            return _send(state, setting, given["topic"])


def settle_proposal(
    state: GuideState, say: Mapping[str, str], heard: str, signals: frozenset[Signal]
) -> tuple[GuideState, Advice | None]:
    """Settle a time that the model proposed: a yes by a caller who heard all of it agrees, anything else drops it."""
    proposed, state = state.proposed, replace(state, proposed=None)
    if proposed is None or Signal.YES not in signals or Signal.NO in signals:
        return state, None
    if plain(_read_back(proposed, say)) not in plain(heard):
        return state, None
    slots = state.slots.hear({SlotName.CALLBACK: proposed}).confirm(SlotName.CALLBACK)
    return replace(state, slots=slots), Advice(say["call_agreed"])


def _transfer(state: GuideState, setting: Setting) -> tuple[GuideState, Ruling]:
    if setting.transfers and not state.nobody_came:
        wanted = replace(state, transfer_wanted=True)
        return wanted, Ruling(setting.playbook.transfer, Then.TRANSFER, "The caller is being connected.")
    return state, Ruling(result="Nobody is free. Say so, and ask when a colleague may call back.")


def _propose(
    state: GuideState, setting: Setting, say: Mapping[str, str], when: str, now: datetime
) -> tuple[GuideState, Ruling]:
    reading = read_moment(tokens(when), now, setting.zone, bare_hour=True)
    moment = reading.moment
    if reading.doubtful or (moment.day is None and moment.at is None):
        return state, Ruling(result="Nothing is agreed yet. Ask for the day and the time.")
    if not moment.whole:
        return state, Ruling(result=f"Nothing is agreed yet. Ask for the {'time' if moment.day else 'day'}.")
    words = _read_back(moment, say)
    proposed = replace(state, proposed=moment, sources=state.sources.plus(words))
    return proposed, Ruling(words, result="Read back; agreed only once the caller says yes.")


def _read_back(moment: Moment, say: Mapping[str, str]) -> str:
    return say["read_back_time"].replace("{value}", moment.in_words())


def _send(state: GuideState, setting: Setting, topic: str) -> tuple[GuideState, Ruling]:
    if state.slots[SlotName.EMAIL].state is not SlotState.CONFIRMED:
        return state, Ruling(result="Not noted: there is no confirmed e-mail address. Ask the caller for theirs.")
    topic = " ".join(topic.split())[:_MAX_TOPIC]
    to_send = (*(known for known in state.to_send if known != topic), topic)
    return replace(state, to_send=to_send), Ruling(
        result=f"Noted: it will be sent to {state.slots.read_back(SlotName.EMAIL)}."
    )
