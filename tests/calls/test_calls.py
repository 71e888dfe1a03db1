"""Whole calls in virtual time."""

from __future__ import annotations

import pytest

from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.completeness import ModelJudge
from telephony_agent.core.conversation import TurnInput
from telephony_agent.core.events import CancelReply, EndReason, LoadChanged, Respond, SendClear, SendMark, Stage
from tests.calls.stage import ANNOUNCEMENTS, Call

GREETING = ANNOUNCEMENTS.greeting.text


def test_the_agent_greets_first_and_the_caller_hears_it_whole() -> None:
    call = Call()
    call.caller_listens()
    assert call.heard == [GREETING]


def test_a_question_is_transcribed_answered_and_heard() -> None:
    call = Call(["It costs ten dollars. Do you want it?"])
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_listens()
    assert call.turns[1].transcript == "how much is it"
    assert call.heard[1] == "It costs ten dollars. Do you want it?"
    assert call.prompts[0] == [
        {"role": "system", "content": "You are Ava."},
        {"role": "assistant", "content": GREETING},
        {"role": "user", "content": "how much is it"},
    ]


def test_transcription_runs_during_the_trailing_silence() -> None:
    call = Call(["Ten dollars."], transcribe_s=0.2)
    call.caller_listens()
    call.caller_says("how much is it")
    call.caller_listens()
    timings = call.turns[1].timings
    assert timings["transcribe_ms"] == 0
    assert timings["turn_gap_ms"] < 800


def test_the_more_complete_the_words_the_sooner_the_answer() -> None:
    gaps = []
    for words in (
        "yes please",
        "how much does it cost",
        "can we meet on tuesday",
        "the people here",
        "I was thinking of and",
    ):
        call = Call(["Ten dollars."], word_s=0.01, transcribe_s=0.02, first_token_s=0.02)
        call.caller_listens()
        call.caller_says(words)
        call.caller_listens()
        gaps.append(call.turns[1].timings["turn_gap_ms"])
    assert gaps[:4] == [320, 480, 720, 720]
    assert gaps[4] >= 1400


def test_a_long_pause_after_a_filler_is_not_taken_for_the_end() -> None:
    call = Call(["Fine."])
    call.caller_listens()
    call.caller_says("I would like um")
    call.caller_waits(1.2)
    call.caller_says("I would like um the team plan")
    call.caller_listens()
    assert [turn.transcript for turn in call.turns] == ["", "I would like um the team plan"]


def test_the_reply_is_made_during_the_silence_and_leaves_when_the_turn_is_over() -> None:
    call = Call(["It costs ten dollars a month."], transcribe_s=0.04, first_token_s=0.04, word_s=0.005)
    call.caller_listens()
    call.caller_says("how much does it cost")
    call.caller_listens()
    timings = call.turns[1].timings
    assert timings["speculated"] == 1
    assert timings["turn_gap_ms"] == timings["endpoint_ms"]
    assert call.heard[1] == "It costs ten dollars a month."


def test_a_held_reply_is_thrown_away_when_the_caller_goes_on() -> None:
    call = Call(["Wrong.", "The team plan costs more."], transcribe_s=0.02, first_token_s=0.02)
    call.caller_listens()
    call.caller_says("how much does it cost")
    call.caller_waits(0.26)
    call.caller_says("how much does it cost for a team")
    call.caller_listens()
    assert len(call.prompts) == 2
    assert call.prompts[1][-1]["content"] == "how much does it cost for a team"
    assert "Wrong" not in " ".join(call.heard)
    assert call.heard[1] == "The team plan costs more."
    assert not call.sent(SendClear)


def test_a_late_reply_is_announced_and_never_with_the_same_words_twice_in_a_row() -> None:
    call = Call(["Here it is.", "And here."], first_token_s=5.0)
    call.caller_listens()
    call.caller_says("how much does it cost")
    call.caller_listens()
    fillers = [filler.text for filler in ANNOUNCEMENTS.fillers]
    assert call.heard[1] == f"{fillers[0]} {fillers[1]} Here it is."
    call.caller_says("and for a team please")
    call.caller_listens()
    assert call.heard[2].startswith(fillers[0])


def test_a_filler_stands_in_the_account_where_it_was_said() -> None:
    call = Call(["It is ten dollars. And there is no contract."], first_token_s=1.0, synthesize_s=0.9, word_s=0.01)
    call.caller_listens()
    call.caller_says("how much does it cost")
    call.caller_listens()
    filler = ANNOUNCEMENTS.fillers[0].text
    assert call.turns[1].reply == call.heard[1] == f"{filler} It is ten dollars. And there is no contract."


def test_a_reply_in_time_needs_no_filler() -> None:
    call = Call(["Here it is."], first_token_s=0.5)
    call.caller_listens()
    call.caller_says("how much does it cost")
    call.caller_listens()
    assert call.heard[1] == "Here it is."


def test_a_pause_in_the_middle_of_a_sentence_is_one_turn() -> None:
    call = Call(["Fine."])
    call.caller_listens()
    call.caller_says("I would like")
    call.caller_waits(0.3)
    call.caller_says("I would like the team plan")
    call.caller_listens()
    assert [turn.transcript for turn in call.turns] == ["", "I would like the team plan"]
    assert len(call.sent(Respond)) == 1


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


def test_the_caller_who_goes_on_withdraws_the_reply_and_is_answered_once() -> None:
    call = Call(["First answer that is wrong.", "Thursday it is."], first_token_s=0.6)
    call.caller_listens()
    call.caller_says("on tuesday")
    call.caller_waits(0.8)
    call.caller_says("no on thursday")
    call.caller_listens()
    assert call.sent(CancelReply)
    assert call.prompts[-1][-1] == {"role": "user", "content": "on tuesday no on thursday"}
    assert call.heard[-1] == "Thursday it is."
    assert "First answer" not in " ".join(call.heard)


def test_the_model_ends_the_call_after_its_goodbye_was_heard() -> None:
    call = Call(["Thank you, goodbye. [END_CALL]"])
    call.caller_listens()
    call.caller_says("I have no time")
    call.caller_listens()
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.AGENT
    assert call.heard[-1] == "Thank you, goodbye."
    marks = [action.name for action in call.sent(SendMark)]  # type: ignore[union-attr]
    assert len(call.twin.played) == len(GREETING) * 60 // 20 * 160 + len("Thank you, goodbye.") * 60 // 20 * 160
    assert len(marks) == 2


def test_the_callers_goodbye_is_answered_and_ends_the_call() -> None:
    call = Call(["Goodbye, have a nice day."])
    call.caller_listens()
    call.caller_says("okay thank you bye")
    call.caller_listens()
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.GOODBYE
    assert call.heard[-1] == "Goodbye, have a nice day."


def test_a_goodbye_ends_even_when_its_mark_never_comes_back() -> None:
    call = Call(["Bye. [END_CALL]"], lose_marks=True)
    call.caller_listens()
    call.caller_says("not interested")
    call.caller_waits(6.0)
    assert call.hung_up is not None
    assert call.heard[-1] == "Bye."


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


@pytest.mark.parametrize("stage", list(Stage))
def test_a_failing_engine_becomes_an_apology_and_the_call_goes_on(stage: Stage) -> None:
    call = Call(["Lost words.", "It works again."])
    call.caller_listens()
    call.fail = {stage}
    call.caller_says("hello there")
    call.caller_listens()
    assert ANNOUNCEMENTS.apology.text in call.heard[1]
    call.fail = set()
    call.caller_says("and now")
    call.caller_listens()
    assert call.heard[2]
    assert ANNOUNCEMENTS.apology.text not in call.heard[2]
    assert call.hung_up is None


@pytest.mark.parametrize("stage", list(Stage))
def test_three_failures_in_a_row_end_the_call_decently(stage: Stage) -> None:
    call = Call()
    call.caller_listens()
    call.fail = {stage}
    for _ in range(3):
        call.caller_says("hello there")
        call.caller_listens()
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.FAULT
    assert call.heard[-1].endswith(ANNOUNCEMENTS.fault_goodbye.text)


def test_an_utterance_that_can_not_be_understood_is_asked_for_again() -> None:
    call = Call()
    call.caller_listens()
    call.caller_says("", seconds=1.2)
    call.caller_listens()
    assert call.heard[-1] == ANNOUNCEMENTS.not_understood.text
    assert not call.prompts


def test_the_call_ends_at_its_longest() -> None:
    call = Call(rules=CallRules(max_call_s=30.0))
    while call.hung_up is None and call.now < 200:
        call.caller_says("tell me something about it")
        call.caller_listens()
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.TIME_LIMIT
    assert call.heard[-1].endswith(ANNOUNCEMENTS.time_up.text)


def test_keys_are_input_like_speech_and_stop_us() -> None:
    call = Call(["I noted five five five."])
    call.caller_waits(0.4)
    call.caller_presses("555")
    call.caller_listens()
    assert call.turns[1].transcript == "5 5 5"
    assert call.heard[1] == "I noted five five five."
    assert call.turns[0].interrupted


def test_a_caller_who_hangs_up_in_the_middle_leaves_the_truth_behind() -> None:
    call = Call()
    call.caller_waits(0.5)
    call.caller_hangs_up()
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.CALLER
    assert GREETING.startswith(call.heard[0])
    assert call.heard[0] != GREETING
    assert call.flow.handle(call.log[0], call.now + 1) == []  # type: ignore[arg-type]  # events come before actions


def test_the_same_story_gives_the_same_log_to_the_byte() -> None:
    def story() -> str:
        call = Call(["A rather long reply, that will be interrupted by the caller.", "Goodbye. [END_CALL]"])
        call.caller_listens()
        call.caller_says("how much is it")
        call.caller_waits(2.0)
        call.caller_says("stop calling me")
        call.caller_listens()
        return repr(call.log)

    assert story() == story()


def test_a_ten_minute_call_keeps_its_prompt_within_the_budget() -> None:
    call = Call(lambda respond: "Well, that is a good question, and here is my answer to it.")
    for _ in range(60):
        call.caller_listens()
        call.caller_says("and what about the other thing that you mentioned")
    sizes = [sum(len(message["content"].split()) + 5 for message in prompt) for prompt in call.prompts]
    assert max(sizes) <= 400
    assert call.prompts[-1][0] == {"role": "system", "content": "You are Ava."}


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


def test_a_caller_who_goes_on_before_we_are_heard_is_still_in_the_same_turn() -> None:
    call = Call(["Tuesday is fine.", "Thursday is fine."], first_token_s=0.5)
    call.caller_listens()
    call.caller_says("can we meet on tuesday")
    call.caller_waits(0.74)
    call.caller_says("no sorry I meant thursday")
    call.caller_listens()
    assert [turn.transcript for turn in call.turns[1:]] == ["can we meet on tuesday no sorry I meant thursday"]
    assert call.prompts[-1][-1]["content"] == "can we meet on tuesday no sorry I meant thursday"
    assert call.heard[1] == "Thursday is fine."
    assert call.turns[1].reply == "Thursday is fine."


def test_the_models_word_on_the_end_decides_how_long_we_wait() -> None:
    gaps = []
    for ended in (0.9, 0.01):
        rules = CallRules(judge=ModelJudge())
        call = Call(["Fine."], rules=rules, transcribe_s=0.02, first_token_s=0.1, ended=lambda words, p=ended: p)  # type: ignore[misc]
        call.caller_listens()
        call.caller_says("the company is called something")
        call.caller_listens()
        gaps.append(call.turns[1].timings["endpoint_ms"])
    assert gaps == [480, 1400]


def test_nothing_is_begun_ahead_while_work_waits_for_the_engines() -> None:
    call = Call(["Ten dollars."], transcribe_s=0.02)
    call.caller_listens()
    call.tell(LoadChanged(busy=True))
    call.caller_says("how much does it cost")
    call.caller_listens()
    assert call.turns[1].timings["speculated"] == 0
    call.tell(LoadChanged(busy=False))
    call.caller_says("how much does it cost then")
    call.caller_listens()
    assert call.turns[2].timings["speculated"] == 1
    assert call.turns[2].timings["saved_ms"] > 100


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
