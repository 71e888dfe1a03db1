"""The suite's scores, on tracks and accounts whose every event is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from telephony_agent.simulator import EndedBy
from telephony_agent.simulator.script import Echo, Expect, KeysStep, NoiseStep, SayStep, Side, Step
from telephony_agent.simulator.suite import Family, Measure, Played
from tests.simulator.suite_calls import GREETING, account, of, played, told, turned_away, values

LINE = SayStep(("how much is it",))
PAUSING = SayStep(("how much is the", 600, "team plan"))
INTERRUPTION = SayStep(("wait who is this",), interrupt_ms=600)
BACKCHANNEL = SayStep(("okay",), interrupt_ms=600, answered=False)
GREETS = (100, 2600)
REPLY = "The starter plan is nineteen dollars a month."

# The end of a turn


def test_an_answered_turn_gives_its_gap_and_the_share_of_it_after_the_decision() -> None:
    tells = account(told(3500, 4500, REPLY))
    call = played(Family.ENDS, [LINE], said=[[(3500, 4500)]], agent=[GREETS, (5000, 7000)], tells=tells)
    assert values(call, Measure.GREETING) == [100]
    assert values(call, Measure.TURN_GAP) == [500]
    assert values(call, Measure.AFTER_DECISION) == [180]
    assert values(call, Measure.ANSWERED) == [1]
    assert values(call, Measure.DEAD_AIR) == values(call, Measure.CUT_OFF) == [0]


def test_without_the_agents_account_the_gap_is_still_there() -> None:
    call = played(Family.ENDS, [LINE], said=[[(3500, 4500)]], agent=[GREETS, (5000, 7000)])
    assert values(call, Measure.TURN_GAP) == [500]
    assert values(call, Measure.AFTER_DECISION) == values(call, Measure.HISTORY_DIFFERS) == []


@pytest.mark.parametrize("agent", [[GREETS], [GREETS, (7600, 8000)]], ids=["never", "late"])
def test_three_seconds_without_a_sound_are_dead_air(agent: list[tuple[int, int]]) -> None:
    call = played(Family.ENDS, [LINE], said=[[(3500, 4500)]], agent=agent)
    assert values(call, Measure.DEAD_AIR) == [1]
    assert values(call, Measure.ANSWERED) == [int(len(agent) > 1)]


def test_a_pause_that_the_agent_lets_pass_is_counted_as_such() -> None:
    call = played(Family.PAUSES, [PAUSING], said=[[(3500, 4100), (4700, 5300)]], agent=[GREETS, (5800, 7000)])
    assert values(call, Measure.PAUSE_TAKEOVER) == values(call, Measure.CUT_OFF) == [0]
    assert of(call, Measure.PAUSE_TAKEOVER)[0].text == "how much is the team plan (600 ms)"


def test_an_onset_in_a_pause_or_right_after_it_is_a_take_over_and_a_cut_off_and_no_gap() -> None:
    for onset_ms in (4500, 4800):
        agent = [GREETS, (onset_ms, 6000)]
        call = played(Family.PAUSES, [PAUSING], said=[[(3500, 4100), (4700, 5300)]], agent=agent)
        assert values(call, Measure.PAUSE_TAKEOVER) == values(call, Measure.CUT_OFF) == [1]
        assert values(call, Measure.TURN_GAP) == []


def test_a_take_over_is_charged_to_the_pause_that_it_is_in() -> None:
    said = [[(3500, 4000), (4400, 4900), (5300, 5800)]]
    call = played(Family.PAUSES, [PAUSING], said=said, agent=[GREETS, (5200, 6900)])
    assert values(call, Measure.PAUSE_TAKEOVER) == [0, 1]


def test_short_silences_between_words_are_no_pauses() -> None:
    call = played(Family.ENDS, [LINE], said=[[(3500, 3900), (4090, 4500)]], agent=[GREETS, (5000, 6000)])
    assert values(call, Measure.PAUSE_TAKEOVER) == []


def test_keys_must_be_answered_but_have_no_gap_of_speech() -> None:
    call = played(Family.NOISES, [KeysStep("1#")], said=[[(3500, 3720)]], agent=[GREETS, (4000, 6000)])
    assert values(call, Measure.ANSWERED) == [1]
    assert values(call, Measure.TURN_GAP) == values(call, Measure.CUT_OFF) == []


# Speaking over the agent


def test_an_interruption_that_stops_the_agent_and_is_answered_is_taken() -> None:
    tells = account(told(1000, 2000, REPLY), greeting_heard="Hi, this is Ava")
    agent = [(100, 1250), (2500, 4700)]
    call = played(Family.INTERRUPTIONS, [INTERRUPTION], said=[[(1000, 2000)]], agent=agent, clears=[1250], tells=tells)
    assert values(call, Measure.INTERRUPTION) == [1]
    assert values(call, Measure.STOP) == [250]
    assert values(call, Measure.STALE) == [0]


def test_an_interruption_that_the_agent_talks_through_is_not_taken() -> None:
    call = played(Family.INTERRUPTIONS, [INTERRUPTION], said=[[(1000, 2000)]], agent=[(100, 4000)])
    assert values(call, Measure.INTERRUPTION) == [0]
    assert values(call, Measure.STOP) == []


def test_a_pause_between_the_agents_sentences_is_not_taken_for_yielding() -> None:
    agent = [(100, 1150), (1500, 1900), (2500, 4700)]
    call = played(Family.INTERRUPTIONS, [INTERRUPTION], said=[[(1000, 2000)]], agent=agent, clears=[1900])
    assert values(call, Measure.STOP) == [900]
    assert values(call, Measure.STALE) == [0]
    assert values(call, Measure.CUT_OFF) == []


def test_what_the_next_line_stopped_the_line_before_it_did_not_stop() -> None:
    tells = account(told(2200, 3000, REPLY), greeting_heard="Hi, this is Ava")
    said = [[(1000, 2000)], [(2200, 3000)]]
    agent = [(100, 2450), (3500, 5750)]
    steps = [INTERRUPTION, INTERRUPTION]
    call = played(Family.INTERRUPTIONS, steps, said=said, agent=agent, clears=[2450], tells=tells)
    assert values(call, Measure.INTERRUPTION) == [0, 1]
    assert values(call, Measure.STOP) == [250]


def test_an_agent_that_talks_on_leaves_no_dead_air() -> None:
    call = played(Family.INTERRUPTIONS, [INTERRUPTION], said=[[(1000, 2000)]], agent=[(100, 9000)])
    assert values(call, Measure.DEAD_AIR) == [0]
    assert values(call, Measure.ANSWERED) == [0]


def test_an_interruption_that_was_taken_for_an_aside_is_not_taken() -> None:
    tells = account(told(1000, 2000, input="aside"))
    agent = [(100, 1250), (2300, 3700)]
    call = played(Family.INTERRUPTIONS, [INTERRUPTION], said=[[(1000, 2000)]], agent=agent, clears=[1250], tells=tells)
    assert values(call, Measure.INTERRUPTION) == [0]
    assert values(call, Measure.STOP) == [250]


def test_speech_after_the_clear_while_the_caller_still_talks_is_stale() -> None:
    agent = [(100, 1250), (1500, 1600), (2500, 4000)]
    call = played(Family.INTERRUPTIONS, [INTERRUPTION], said=[[(1000, 2000)]], agent=agent, clears=[1250])
    assert values(call, Measure.STALE) == [1]


def test_a_line_that_was_to_interrupt_but_came_after_the_agent_was_done_is_a_plain_turn() -> None:
    call = played(Family.INTERRUPTIONS, [INTERRUPTION], said=[[(3500, 4500)]], agent=[GREETS, (5000, 7000)])
    assert values(call, Measure.INTERRUPTION) == values(call, Measure.STOP) == []
    assert values(call, Measure.ANSWERED) == [1]


@pytest.mark.parametrize(
    ("agent", "clears", "tolerated", "pauses"),
    [
        ([(100, 2600)], [], 1, []),
        ([(100, 1250), (1900, 3250)], [1250], 1, [650]),
        ([(100, 1250), (2500, 3850)], [1250], 0, []),
        ([(100, 1250)], [1250], 0, []),
    ],
    ids=["talks on", "pauses and goes on", "goes on late", "stops for good"],
)
def test_a_backchannel_is_tolerated_if_the_agent_goes_on_within_a_second(
    agent: list[tuple[int, int]], clears: list[int], tolerated: int, pauses: list[int]
) -> None:
    tells = account(told(1000, 1400, input="aside"))
    call = played(Family.BACKCHANNELS, [BACKCHANNEL], said=[[(1000, 1400)]], agent=agent, clears=clears, tells=tells)
    assert values(call, Measure.BACKCHANNEL) == [tolerated]
    assert values(call, Measure.ASIDE_PAUSE) == pauses


def test_a_backchannel_that_got_an_answer_and_cut_the_reply_is_not_tolerated() -> None:
    tells = account(told(1000, 1400, REPLY), greeting_heard="Hi, this is Ava")
    agent = [(100, 1250), (1900, 4100)]
    call = played(Family.BACKCHANNELS, [BACKCHANNEL], said=[[(1000, 1400)]], agent=agent, clears=[1250], tells=tells)
    assert values(call, Measure.BACKCHANNEL) == [0]


def test_a_backchannel_into_silence_proves_nothing() -> None:
    call = played(Family.BACKCHANNELS, [BACKCHANNEL], said=[[(3500, 3900)]], agent=[GREETS])
    assert values(call, Measure.BACKCHANNEL) == []


def test_noises_are_found_in_the_callers_track_and_scored_like_asides() -> None:
    steps = (NoiseStep("cough", 300, interrupt_ms=600), LINE)
    agent = [(100, 1250), (1900, 3250), (6000, 8000)]
    tells = account(told(1000, 1300, input="aside"), told(4500, 5500, REPLY))
    call = played(
        Family.NOISES, steps, said=[[(4500, 5500)]], agent=agent, noise=[(1000, 1300)], clears=[1250], tells=tells
    )
    assert values(call, Measure.NOISE) == [1]
    assert of(call, Measure.NOISE)[0].at_ms == 1000


def test_the_same_words_in_another_family_are_no_asides() -> None:
    call = played(Family.SIDE_TALK, [BACKCHANNEL], said=[[(1000, 1400)]], agent=[(100, 2600)])
    assert values(call, Measure.SIDE_TALK) == [1]
    assert values(call, Measure.BACKCHANNEL) == []


# Echo, silence, music, machines


ECHO = Echo(-12, 200)


def test_under_echo_every_utterance_counts_and_an_undisturbed_one_is_no_self_interruption() -> None:
    tells = account(told(3500, 4500, REPLY))
    call = played(Family.ECHO, [LINE], said=[[(3500, 4500)]], agent=[GREETS, (5000, 7000)], tells=tells, echo=ECHO)
    assert values(call, Measure.SELF_INTERRUPTION) == [0, 0]


def test_a_clear_that_the_caller_did_not_cause_is_a_self_interruption() -> None:
    agent = [(100, 1250), (1900, 3000), (5000, 7000)]
    call = played(Family.ECHO, [LINE], said=[[(3500, 4500)]], agent=agent, clears=[1250], echo=ECHO)
    assert values(call, Measure.SELF_INTERRUPTION) == [1, 0, 0]


def test_a_turn_that_nobody_spoke_is_a_self_interruption() -> None:
    tells = account(told(2650, 2800), told(5500, 6500, REPLY))
    call = played(Family.ECHO, [LINE], said=[[(5500, 6500)]], agent=[GREETS, (7000, 9000)], tells=tells, echo=ECHO)
    assert values(call, Measure.SELF_INTERRUPTION) == [1, 0]


def test_a_silent_caller_is_handled_by_two_reprompts_and_an_end() -> None:
    agent = [GREETS, (5000, 5500), (7000, 7500), (9000, 9500)]
    expect = Expect(Side.AGENT, ("silence",), 3)
    handled = played(Family.SILENCE, [], said=[], agent=agent, ended_by=EndedBy.AGENT, expect=expect)
    left = played(Family.SILENCE, [], said=[], agent=agent, ended_by=EndedBy.CALLER, expect=expect)
    hasty = played(Family.SILENCE, [], said=[], agent=agent[:2], ended_by=EndedBy.AGENT, expect=expect)
    assert values(handled, Measure.SILENT_CALLER) == [1]
    assert values(left, Measure.SILENT_CALLER) == values(hasty, Measure.SILENT_CALLER) == [0]


def test_a_voicemail_that_the_agent_leaves_by_its_reprompts_is_left_and_owes_nothing_else() -> None:
    steps: list[Step] = [SayStep(("leave a message",), interrupt_ms=100, answered=False), NoiseStep("beep", 400)]
    expect = Expect(Side.AGENT, ("silence",), 1)

    def left(ended_by: EndedBy, reason: str) -> Played:
        tells = replace(account(told(300, 2400)), end_reason=reason)
        return played(
            Family.VOICEMAIL,
            steps,
            said=[[(300, 2400)]],
            noise=[(3000, 3400)],
            agent=[GREETS, (9000, 9500)],
            tells=tells,
            expect=expect,
            ended_by=ended_by,
        )

    good = left(EndedBy.AGENT, "silence")
    assert values(good, Measure.VOICEMAIL) == [1]
    assert values(good, Measure.DEAD_AIR) == values(good, Measure.ANSWERED) == values(good, Measure.CUT_OFF) == []
    assert values(left(EndedBy.CALLER, ""), Measure.VOICEMAIL) == [0]
    assert values(left(EndedBy.AGENT, "fault"), Measure.VOICEMAIL) == [0]


def hold_music(*turns: dict[str, Any], greeting_heard: str = GREETING) -> Played:
    """Music over the greeting from 1000 to 5000 ms, and a line after it."""
    tells = account(*turns, told(6500, 7500, REPLY), greeting_heard=greeting_heard)
    steps: list[Step] = [NoiseStep("music", 4000, interrupt_ms=600), LINE]
    agent = [GREETS, (8000, 10_250)]
    return played(Family.HOLD_MUSIC, steps, said=[[(6500, 7500)]], agent=agent, noise=[(1000, 5000)], tells=tells)


def test_hold_music_is_tolerated_when_nothing_was_made_of_it() -> None:
    call = hold_music()
    assert values(call, Measure.HOLD_MUSIC) == [1]
    assert of(call, Measure.HOLD_MUSIC)[0].at_ms == 1000
    assert values(call, Measure.ANSWERED) == [1]


@pytest.mark.parametrize(
    "turn",
    [told(1000, 5000), told(1000, 5000, input="aside"), told(0, 0, "Are you there?", input="silence")],
    ids=["a turn without words", "an aside", "a reprompt"],
)
def test_hold_music_may_be_noticed_and_asked_into(turn: dict[str, Any]) -> None:
    assert values(hold_music(turn), Measure.HOLD_MUSIC) == [1]


def test_hold_music_that_is_answered_or_that_cuts_the_reply_is_not_tolerated() -> None:
    assert values(hold_music(told(900, 2000, REPLY)), Measure.HOLD_MUSIC) == [0]
    assert values(hold_music(greeting_heard="Hi, this is Ava"), Measure.HOLD_MUSIC) == [0]


def test_without_the_agents_account_hold_music_proves_nothing() -> None:
    call = played(Family.HOLD_MUSIC, [], said=[], agent=[GREETS], noise=[(1000, 5000)])
    assert values(call, Measure.HOLD_MUSIC) == []


@pytest.mark.parametrize("family", [Family.ENDS, Family.SILENCE, Family.VOICEMAIL])
def test_a_call_that_was_turned_away_is_no_observation(family: Family) -> None:
    call = turned_away(family)
    assert (call.turned_away, call.cut_short, call.observations) == (True, False, ())
