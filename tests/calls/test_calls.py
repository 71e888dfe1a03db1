"""Whole calls in virtual time: turns, their ends, failures and the end of the call."""

from __future__ import annotations

import pytest

from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.completeness import ModelJudge
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


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.TOOL])
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


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.TOOL])
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
