"""History equals heard: the agent's account of its words beside how long it was audible."""

from __future__ import annotations

import pytest

from telephony_agent.simulator.script import SayStep
from telephony_agent.simulator.suite import Family, Measure
from tests.simulator.suite_calls import GREETING, account, played, told, values

LINE = SayStep(("how much is it",))
INTERRUPTION = SayStep(("wait who is this",), interrupt_ms=600)
GREETS = (100, 2600)
REPLY = "The starter plan is nineteen dollars a month."
"""45 characters: 2206 ms at the greeting's rate of 51 in 2500 ms."""
MS_PER_CHARACTER = 2500 / 51


def lasting(text: str) -> int:
    """How long the tests' agent is audible with a text, to the 10 ms that are measured."""
    return round(len(text) * MS_PER_CHARACTER / 10) * 10


def differs(reply: str, heard: str, audible: str, *, clear: bool = False) -> int:
    """What is found of a reply that is said to be heard so far, and was audible so far."""
    tells = account(told(3500, 4500, reply, heard=heard), told(9000, 9300, GREETING))
    end_ms = 5000 + lasting(audible)
    call = played(
        Family.ENDS,
        [LINE, LINE],
        said=[[(3500, 4500)], [(9000, 9300)]],
        agent=[GREETS, (5000, end_ms), (9400, 11_900)],
        clears=[end_ms] if clear else [],
        tells=tells,
    )
    return values(call, Measure.HISTORY_DIFFERS)[1]


def without_last_words(text: str, words: int) -> str:
    return " ".join(text.split()[:-words])


def test_history_agrees_when_the_reply_lasted_as_long_as_its_words_need() -> None:
    assert differs(REPLY, REPLY, REPLY) == 0


@pytest.mark.parametrize("reply", [REPLY, "Are you still there?", f"{REPLY} {REPLY}"], ids=["usual", "short", "long"])
def test_a_word_that_was_never_audible_is_caught(reply: str) -> None:
    assert differs(reply, reply, without_last_words(reply, 1)) == 1


def test_a_word_that_was_audible_and_is_not_in_the_account_is_caught() -> None:
    assert differs(REPLY, REPLY, f"{REPLY} Always.") == 1


def test_a_cut_reply_may_be_a_word_out_because_the_cut_falls_into_a_word() -> None:
    heard = without_last_words(REPLY, 3)
    assert differs(REPLY, heard, heard, clear=True) == 0
    assert differs(REPLY, heard, f"{heard} dolla", clear=True) == 0
    assert differs(REPLY, heard, f"{without_last_words(heard, 1)} nine", clear=True) == 0


def test_a_cut_reply_that_is_more_words_out_is_caught() -> None:
    heard = without_last_words(REPLY, 3)
    assert differs(REPLY, heard, REPLY, clear=True) == 1
    assert differs(REPLY, heard, without_last_words(heard, 2), clear=True) == 1


def test_what_is_said_again_after_an_aside_is_no_difference() -> None:
    assert differs(REPLY, REPLY, f"{REPLY} starter", clear=True) == 0


def test_history_differs_when_what_was_heard_is_no_beginning_of_the_reply() -> None:
    assert differs(REPLY, "The starter plan is ninety", "The starter plan is ninety") == 1


def test_the_rate_is_the_middle_one_so_that_a_wrong_reply_does_not_hide_itself() -> None:
    tells = account(*(told(ms, ms, REPLY) for ms in (3000, 6000, 9000)))
    agent = [GREETS, *((ms, ms + lasting(said)) for ms, said in ((3000, REPLY), (6000, REPLY[:30]), (9000, REPLY)))]
    call = played(Family.ENDS, [], said=[], agent=agent, tells=tells)
    assert values(call, Measure.HISTORY_DIFFERS) == [0, 0, 1, 0]


def test_a_voice_that_the_ruler_fits_badly_is_given_more() -> None:
    factors = (1.08, 0.93, 1.0, 1.07, 0.94)
    replies = [(2700 + 1800 * n, round(lasting(GREETING[:30]) * factor)) for n, factor in enumerate(factors)]
    tells = account(*(told(ms - 50, ms - 50, GREETING[:30]) for ms, _ in replies))
    agent = [GREETS, *((ms, ms + lasts_ms) for ms, lasts_ms in replies)]
    call = played(Family.ENDS, [], said=[], agent=agent, tells=tells)
    assert values(call, Measure.HISTORY_DIFFERS) == [0] * 6


def test_a_reply_that_was_withdrawn_before_a_sound_of_it_differs_from_nothing() -> None:
    tells = account(told(3500, 3900, REPLY, heard=""), told(4200, 4600, REPLY))
    call = played(Family.CORRECTIONS, [LINE], said=[[(3500, 4600)]], agent=[GREETS, (5000, 7200)], tells=tells)
    assert values(call, Measure.HISTORY_DIFFERS) == [0, 0, 0]


def test_a_turn_that_got_no_reply_leaves_the_one_before_it_going_on() -> None:
    call = played(Family.NOISES, [], said=[], agent=[GREETS], tells=account(told(800, 1100)))
    assert values(call, Measure.HISTORY_DIFFERS) == [0]


def test_a_reply_to_silence_is_compared_together_with_the_one_before() -> None:
    silence = told(0, 0, "Are you still there?", input="silence", timings={})
    call = played(Family.SILENCE, [], said=[], agent=[GREETS, (8000, 9000)], tells=account(silence))
    assert values(call, Measure.HISTORY_DIFFERS) == [0]


def test_an_interrupted_reply_counts_only_until_the_next_one_begins() -> None:
    heard = f"{REPLY} The starter plan"
    tells = account(told(3500, 4500, f"{REPLY} {REPLY}", heard=heard), told(6000, 7000, REPLY))
    agent = [GREETS, (5000, 6200), (7500, 9700)]
    said, steps = [[(3500, 4500)], [(6000, 7000)]], [LINE, INTERRUPTION]
    call = played(Family.LINE, steps, said=said, agent=agent, clears=[6200], tells=tells)
    assert values(call, Measure.HISTORY_DIFFERS) == [0, 1, 0]
