"""The model ends a call only for a reason that the rules know."""

from __future__ import annotations

from itertools import islice

import pytest

from scripts.pocket_models.dialogues import dialogues
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.playbook import END_CALL
from tests.sales.talk import NOW, PHRASES, PLAYBOOK, SETTING, Talk, talk

GOODBYE = "Thank you for your time. Goodbye."


def may_end(call: Talk, reply: str = GOODBYE) -> bool:
    return call.guide.may_end(call.turn, reply)


@pytest.mark.parametrize(
    "words",
    [
        "bye",
        "okay thanks, bye bye",
        "that's all, thanks",
        "no more questions",
        "I'm not interested",
        "call me next week",
        "I don't have time right now",
        "I have to go",
        "thanks for calling",
    ],
)
def test_a_caller_who_takes_leave_refuses_or_has_no_time_may_be_let_go(words: str) -> None:
    call = talk()
    call.says(words)
    assert may_end(call)


@pytest.mark.parametrize(
    "words",
    ["yeah email's best", "yes", "tell me more", "how much is it", "we have twelve people", "who is this", "okay"],
)
def test_nobody_else_is_hung_up_on(words: str) -> None:
    call = talk()
    call.says(words)
    assert not may_end(call)


def test_no_to_anything_else_takes_leave_and_no_to_another_question_does_not() -> None:
    call = talk()
    call.says("no", after="All right. Anything else I can help with?")
    assert may_end(call)
    call.says("no", after="Do you use another system?")
    assert not may_end(call)


def test_what_was_a_reason_in_one_turn_is_none_in_the_next() -> None:
    call = talk()
    call.says("I'm not interested")
    call.says("well, what does it do")
    assert not may_end(call)


def test_a_reply_that_asks_something_ends_no_call() -> None:
    call = talk()
    call.says("I'm not interested")
    assert not may_end(call, "May I ask why not?")


def test_a_call_that_brought_a_meeting_may_end_once_it_is_confirmed() -> None:
    call = talk()
    call.says("Thursday at three", after="Which day and what time suits you?")
    assert not may_end(call)
    call.says("yes")
    call.says("great")
    assert may_end(call)


def test_the_reference_agents_goodbyes_end_their_calls() -> None:
    """Its calls without the guide's fixed words, so that all goodbyes are the model's."""
    goodbyes, refused = 0, []
    for dialogue in islice((one for one in dialogues(11) if one.world.playbook == PLAYBOOK), 60):
        guide = Guide.of(SETTING, PHRASES)
        heard = PLAYBOOK.greeting
        for number, turn in enumerate(dialogue.turns, 1):
            advice = guide.take(number, turn.heard, heard, NOW)
            wording = turn.reply.wordings[0]
            heard = wording.replace(END_CALL, "").strip()
            if END_CALL in wording and not advice.say:
                goodbyes += 1
                if not guide.may_end(number, heard):
                    refused.append((turn.heard, heard))
    assert goodbyes >= 10
    assert len(refused) <= 0.05 * goodbyes, refused
