"""Whole calls in virtual time: speaking over each other."""

from __future__ import annotations

import pytest

from telephony_agent.core.conversation import TurnInput
from telephony_agent.core.events import EndReason, SendClear
from tests.calls.stage import ANNOUNCEMENTS, Call

GREETING = ANNOUNCEMENTS.greeting.text


def test_barge_in_cuts_the_reply_to_what_was_heard() -> None:
    long = "We have three plans, and the first of them is the starter plan for nineteen dollars a month."
    call = Call([long, "Of course."])
    call.caller_listens()
    call.caller_says("tell me about the plans")
    call.caller_waits(2.2)
    call.caller_says("no stop please")
    call.caller_listens()
    interrupted = call.turns[1]
    assert interrupted.interrupted
    assert interrupted.reply == long
    assert 0 < len(interrupted.reply_heard) < len(long)
    assert long.startswith(interrupted.reply_heard)
    assert call.prompts[1][-2] == {"role": "assistant", "content": interrupted.reply_heard}
    assert call.prompts[1][-1] == {"role": "user", "content": "no stop please"}


def test_a_caller_who_speaks_right_after_the_greeting_is_not_taken_for_its_echo() -> None:
    call = Call(["It costs ten dollars a month for every seat that you have."])
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_waits(1.6)
    call.caller_says("what about the team plan", seconds=2.0)
    assert call.sent(SendClear)


def test_after_a_barge_in_nothing_of_the_old_reply_is_played() -> None:
    call = Call(["A very long reply that goes on, and on, and on, for as long as it can.", "Yes?"])
    call.caller_listens()
    call.caller_says("tell me more")
    call.caller_waits(2.0)
    call.caller_says("wait a moment please")
    played = len(call.twin.played)
    assert call.sent(SendClear)
    assert not call.twin.queue
    call.caller_waits(0.4)
    assert len(call.twin.played) == played


LONG = "We have three plans, and the first of them is the starter plan for nineteen dollars a month."


@pytest.mark.parametrize("sound", ["mm-hm", "okay right", ""])
def test_an_aside_pauses_us_and_we_go_on_from_the_word_where_we_stopped(sound: str) -> None:
    call = Call([LONG, "Another."])
    call.caller_listens()
    call.caller_says("tell me about the plans")
    call.caller_waits(2.2)
    call.caller_says(sound, seconds=0.4)
    call.caller_listens()
    assert call.sent(SendClear), "it was clear at first that somebody spoke"
    assert call.heard[1] == LONG
    assert not call.turns[1].interrupted
    assert (call.turns[2].input, call.turns[2].transcript) == (TurnInput.ASIDE, sound)
    call.caller_says("how much does it cost")
    call.caller_listens()
    assert call.prompts[1][-2:] == [
        {"role": "assistant", "content": LONG},
        {"role": "user", "content": "how much does it cost"},
    ]
    assert [turn.number for turn in call.turns] == [0, 1, 2, 3]
    assert call.heard[3] == "Another."


def test_an_aside_over_a_goodbye_does_not_keep_the_line_open() -> None:
    call = Call(["Thank you for your time today, and goodbye. [END_CALL]"])
    call.caller_listens()
    call.caller_says("not interested")
    call.caller_waits(1.5)
    call.caller_says("okay", seconds=0.4)
    call.caller_listens()
    assert call.heard[1] == "Thank you for your time today, and goodbye."
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.AGENT


def test_long_speech_over_ours_is_an_interruption_even_when_it_can_not_be_understood() -> None:
    call = Call(["It works with the calendar that you have, and with the one that you had before that."])
    call.caller_listens()
    call.caller_says("tell me about the plans")
    call.caller_waits(2.2)
    call.caller_says("", seconds=4.5)
    call.caller_listens()
    assert call.turns[1].interrupted
    assert call.heard[2] == ANNOUNCEMENTS.not_understood.text


def test_an_aside_while_the_reply_is_still_being_worded_loses_none_of_it() -> None:
    call = Call([LONG], word_s=0.4)
    call.caller_listens()
    call.caller_says("tell me about the plans")
    call.caller_waits(3.0)
    call.caller_says("mm-hm", seconds=0.4)
    call.caller_listens()
    fillers = [filler.text for filler in ANNOUNCEMENTS.fillers]
    heard = call.heard[1]
    for filler in fillers:
        heard = heard.replace(f"{filler} ", "")
    assert heard == LONG


def test_a_click_over_our_speech_does_not_stop_it() -> None:
    call = Call()
    call.caller_waits(0.3)
    call.caller_says("", seconds=0.1)
    call.caller_listens()
    assert not call.sent(SendClear)
    assert call.heard == [GREETING]


def test_marks_that_come_back_by_clear_are_not_heard() -> None:
    call = Call(["One long sentence that will be cut off by the caller very soon indeed.", "Yes."])
    call.caller_listens()
    call.caller_says("go on")
    call.caller_waits(1.5)
    call.caller_says("stop it now")
    call.caller_listens()
    assert call.turns[1].reply_heard != call.turns[1].reply


def test_no_noise_stops_a_price_but_a_hard_stop_does() -> None:
    price = "The team plan costs forty nine dollars a month, for as many people as you want to have in it."
    for words, stops in (("", False), ("mm-hm", False), ("stop", True), ("wait who is this", True)):
        call = Call([price, "Sure."])
        call.caller_listens()
        call.caller_says("how much is the team plan")
        call.caller_waits(2.0)
        call.caller_says(words, seconds=3.0)
        call.caller_listens()
        assert call.turns[1].interrupted is stops
        assert (call.heard[1] == price) is not stops


def test_talk_to_somebody_else_is_an_aside_and_we_go_on_from_the_word() -> None:
    reply = "It works with the calendar that you have, and with the one that you had before that."
    call = Call([reply])
    call.caller_listens()
    call.caller_says("tell me about it please")
    call.caller_waits(2.0)
    call.caller_says("close the door please honey", seconds=1.6)
    call.caller_listens()
    assert call.heard[1] == reply
    assert call.turns[2].input is TurnInput.ASIDE
    assert call.turns[2].transcript == "close the door please honey"
    assert len(call.prompts) == 1


def test_a_transcriber_that_takes_too_long_over_an_aside_does_not_keep_us_silent() -> None:
    reply = "It works with the calendar that you have, and with the one that you had before that."
    call = Call([reply], transcribe_s=0.1)
    call.caller_listens()
    call.caller_says("tell me about it please")
    call.caller_waits(2.0)
    call._delays = (4.0, 0.1, 0.02)
    call.caller_says("mm-hm", seconds=0.5)
    call.caller_listens()
    assert call.heard[1] == reply
    assert call.turns[2].transcript == "mm-hm"
    assert call.longest_pause_s() < 2.0


def test_an_interruption_whose_words_come_late_stops_us_after_all() -> None:
    reply = "It works with the calendar that you have, and with the one that you had before, and with many others too."
    call = Call([reply, "Ten dollars."], transcribe_s=0.1)
    call.caller_listens()
    call.caller_says("tell me about it please")
    call.caller_waits(2.0)
    call._delays = (2.0, 0.1, 0.02)
    call.caller_says("how much is it", seconds=0.8)
    call.caller_listens()
    assert call.turns[1].interrupted
    assert call.turns[2].transcript == "how much is it"
    assert call.heard[2] == "Ten dollars."
