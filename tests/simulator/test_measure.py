"""Measurements, on tracks whose every onset is known."""

from __future__ import annotations

import numpy as np
import pytest

from telephony_agent.simulator.caller import FRAME, Turn
from telephony_agent.simulator.measure import Measures, Span, measure
from telephony_agent.simulator.mulaw import TOP, Pcm
from telephony_agent.simulator.playout import Cleared, Gap

SECONDS = 12


def track(*spans: tuple[int, int], amplitude: float = 3000) -> Pcm:
    """A track that is loud from and to the given ms."""
    pcm = np.zeros(SECONDS * 8000, np.int16)
    for start_ms, end_ms in spans:
        time = np.arange((end_ms - start_ms) * 8) / 8000
        pcm[start_ms * 8 : end_ms * 8] = (amplitude * np.sin(2 * np.pi * 500 * time)).astype(np.int16)
    return pcm


def turn(start_ms: int, end_ms: int) -> Turn:
    return Turn("words", start_ms * 8 // FRAME, end_ms * 8 // FRAME, answered=True, keys=False)


def measured(
    caller: Pcm, agent: Pcm, *turns: Turn, gaps: tuple[Gap, ...] = (), clears: tuple[int, ...] = ()
) -> Measures:
    return measure(caller, agent, turns, gaps, [Cleared(ms * 8, 0) for ms in clears])


def test_the_greeting_is_the_agents_first_loud_window() -> None:
    assert measured(track(), track((130, 900))).greeting_ms == 130
    assert measured(track(), track()).greeting_ms is None


def test_the_gap_runs_from_the_last_loud_word_to_the_agents_onset() -> None:
    found = measured(track((2050, 2950)), track((100, 900), (3500, 4000)), turn(2000, 3000))
    assert found.turns[0].said == Span(2050, 2950)
    assert found.turns[0].gap_ms == 550


def test_an_agent_that_takes_over_early_has_a_negative_gap() -> None:
    found = measured(track((2000, 2400), (3000, 3400)), track((2800, 4000)), turn(2000, 3400))
    assert found.turns[0].gap_ms == -600
    assert found.turns[0].cut_ins == 1


def test_an_agent_that_took_a_pause_for_the_end_has_cut_in_and_its_real_answer_has_the_gap() -> None:
    found = measured(track((2000, 2400), (3000, 3400)), track((2800, 3100), (3900, 4500)), turn(2000, 3400))
    assert (found.turns[0].cut_ins, found.turns[0].gap_ms) == (1, 500)


def test_a_turn_without_an_answer_has_no_gap_and_steals_none_from_the_next() -> None:
    caller = track((1000, 1500), (3000, 3500))
    found = measured(caller, track((4000, 4500)), turn(1000, 1500), turn(3000, 3500))
    assert [times.gap_ms for times in found.turns] == [None, 500]


def test_a_barge_in_is_timed_from_the_callers_onset_to_the_agents_silence() -> None:
    found = measured(track((2000, 3000)), track((500, 2250), (3600, 4500)), turn(2000, 3000), clears=(2250,))
    assert found.turns[0].yielded_ms == 250
    assert found.turns[0].gap_ms == 600
    assert not found.turns[0].talked_on
    assert found.stale_ms == 0


def test_a_reply_right_after_a_clear_is_not_taken_for_the_old_one() -> None:
    found = measured(track((2000, 2350)), track((500, 2240), (2450, 4000)), turn(2000, 2360), clears=(2240,))
    assert found.turns[0].yielded_ms == 240
    assert found.turns[0].gap_ms == 100


def test_an_agent_that_goes_on_under_a_backchannel_has_talked_on() -> None:
    found = measured(track((2000, 2300)), track((500, 4000)), turn(2000, 2300))
    assert found.turns[0].talked_on
    assert found.turns[0].gap_ms is None
    assert found.turns[0].yielded_ms is None


def test_speech_after_a_clear_and_over_the_caller_is_stale() -> None:
    found = measured(track((2000, 3000)), track((500, 2200), (2400, 2500)), turn(2000, 3000), clears=(2200,))
    assert found.stale_ms == 100


def test_pauses_within_a_reply_do_not_split_the_utterance() -> None:
    found = measured(track(), track((100, 900), (1100, 2000), (3000, 3500)))
    assert found.utterances == (Span(100, 2000), Span(3000, 3500))


def test_the_level_is_that_of_the_loud_windows_alone() -> None:
    assert measured(track(), track((100, 900))).level_dbov == pytest.approx(-23.8, abs=0.1)


def test_only_runs_of_three_and_more_top_codes_count_as_clipping() -> None:
    agent = track()
    agent[100:102] = TOP
    agent[200:203] = -TOP
    agent[300:310] = TOP
    assert measured(track(), agent).clipped_runs == 2


def test_short_holes_in_a_phrase_are_not_reported() -> None:
    gaps = (Gap(1000, 60 * 8), Gap(5000, 61 * 8))
    assert measured(track(), track(), gaps=gaps).gaps_ms == (61,)
