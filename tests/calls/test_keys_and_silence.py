"""Whole calls in virtual time: keys, silence, and callers who ask us to wait."""

from __future__ import annotations

import pytest

from telephony_agent.core.conversation import TurnInput
from telephony_agent.core.events import EndReason
from tests.calls.stage import ANNOUNCEMENTS, Call

GREETING = ANNOUNCEMENTS.greeting.text


def test_a_silent_caller_is_reprompted_twice_and_then_left() -> None:
    call = Call()
    call.caller_waits(60.0)
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.SILENCE
    assert call.heard == [
        GREETING,
        *(reprompt.text for reprompt in ANNOUNCEMENTS.reprompts),
        ANNOUNCEMENTS.silence_goodbye.text,
    ]


def test_keys_are_input_like_speech_and_stop_us() -> None:
    call = Call(["I noted five five five."])
    call.caller_waits(0.4)
    call.caller_presses("555")
    call.caller_listens()
    assert call.turns[1].transcript == "5 5 5"
    assert call.heard[1] == "I noted five five five."
    assert call.turns[0].interrupted


def test_who_asks_us_to_wait_is_not_asked_whether_he_is_there() -> None:
    call = Call(["Sure, take your time.", "It is ten dollars."])
    call.caller_listens()
    call.caller_says("hold on a second please")
    call.caller_listens()
    call.caller_waits(40.0)
    call.caller_says("put it over there please")
    call.caller_waits(5.0)
    assert [turn.input for turn in call.turns[2:]] == [TurnInput.ASIDE]
    call.caller_says("so how much is it then")
    call.caller_listens()
    assert call.heard[-1] == "It is ten dollars."
    call.caller_waits(8.0)
    assert call.turns[-1].input is TurnInput.SILENCE


def test_who_never_comes_back_is_asked_after_a_minute() -> None:
    call = Call(["Sure, take your time."])
    call.caller_listens()
    call.caller_says("hold on a second please")
    call.caller_listens()
    call.caller_waits(59.0)
    assert call.turns[-1].input is TurnInput.SPEECH
    call.caller_waits(2.0)
    assert call.turns[-1].input is TurnInput.SILENCE


@pytest.mark.parametrize(
    ("question", "keys", "transcript"),
    [
        ("Do you have a minute?", "1", "yes"),
        ("Do you have a minute?", "2", "no"),
        ("What is your phone number?", "5550142#", "5 5 5 0 1 4 2"),
        ("What is your phone number?", "012*555#", "5 5 5"),
        ("How many are you?", "12", "1 2"),
    ],
)
def test_keys_answer_the_question_that_is_open(question: str, keys: str, transcript: str) -> None:
    call = Call([question, "Thanks."])
    call.caller_listens()
    call.caller_says("tell me more about it")
    call.caller_listens()
    call.caller_presses(keys)
    call.caller_listens()
    assert call.turns[-1].input is TurnInput.DTMF
    assert call.turns[-1].transcript == transcript


def test_slow_fingers_may_take_their_time_over_a_number() -> None:
    call = Call(["What is your phone number?", "Thanks."])
    call.caller_listens()
    call.caller_says("call me back please would you")
    call.caller_listens()
    for key in "5550":
        call.caller_presses(key)
        call.caller_waits(2.5)
    call.caller_listens()
    assert call.turns[-1].transcript == "5 5 5 0"


def test_zero_connects_to_a_person_where_there_is_one() -> None:
    call = Call(transfers=True)
    call.caller_listens()
    call.caller_presses("0")
    call.caller_listens()
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.TRANSFER
    assert call.heard[-1] == "I'll connect you."


def test_zero_asks_for_a_person_where_there_is_none_to_connect_to() -> None:
    call = Call(["A colleague will call you back."])
    call.caller_listens()
    call.caller_presses("0")
    call.caller_listens()
    assert call.turns[-1].transcript == "can I talk to a person"
    assert call.heard[-1] == "A colleague will call you back."
