"""What the suite shows: the table, the JSON object, and the HTML file with its pictures."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from telephony_agent.simulator.measure import Span
from telephony_agent.simulator.script import SayStep
from telephony_agent.simulator.suite import GOALS, Family, Measure, Played, Verdict, render
from telephony_agent.simulator.suite.report_html import Stage, stages
from tests.simulator.suite_calls import account, played, told, turned_away

LINE = SayStep(("is 3 < 4 & so on",))
TIMINGS = {"endpoint_ms": 320, "transcribe_ms": 60, "first_token_ms": 40, "first_phrase_ms": 90, "turn_gap_ms": 470}


def call(onset_ms: int) -> Played:
    early = onset_ms < 7000
    times = {**TIMINGS, "speculated": int(early), **({"saved_ms": 210} if early else {})}
    tells = account(told(3500, 4500, "Yes <it> is.", timings=times))
    return played(
        Family.ENDS, [LINE], said=[[(3500, 4500)]], agent=[(100, 2600), (onset_ms, onset_ms + 590)], tells=tells
    )


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    """Ten good calls and one that answered late, and a baseline of ten."""
    return Verdict(4, 1, (*[call(5000)] * 10, call(7600)), tuple([call(5600)] * 10))


def test_the_object_has_every_figure_every_goal_and_what_failed_where(verdict: Verdict) -> None:
    found = json.loads(json.dumps(verdict.as_json()))
    assert (found["ok"], found["seed"], found["calls"]) == (False, 4, 11)
    assert found["measures"]["turn_gap_ms"]["p50"] == 500
    assert len(found["goals"]) == len(GOALS)
    assert found["silence_only"]["turn_gap_ms"]["p50"] == 1100
    assert found["endpointing"]["turn_gap_ms"]["p50"] == 500
    assert found["families"]["ends"]["dead_air"] == {"n": 11, "hits": 1, "rate": 0.0909}
    assert found["families"]["echo"] == {}
    late = {"measure": "dead_air", "call": "ends 1", "at_ms": 4500, "text": "is 3 < 4 & so on"}
    assert late in found["failures"]
    assert any(line.startswith("take_over_at_end n: 11 ") for line in found["missed"])


def test_the_table_shows_figures_beside_goals_and_the_silence_timer(verdict: Verdict) -> None:
    console = Console(file=io.StringIO(), width=160)
    verdict.show(console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for part in ("turn_gap_ms", "p50 500", "p50 <= 600", "silence only", "p50 1100", "ends 1 at 4.5 s", "missed:"):
        assert part in text
    assert "1 of 11 = 9.1%" in text


def shown(verdict: Verdict) -> str:
    console = Console(file=io.StringIO(), width=200)
    verdict.show(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_was_gained_by_replying_early_is_told(verdict: Verdict) -> None:
    assert verdict.as_json()["speculation"] == {
        "n": 11,
        "hits": 10,
        "rate": 0.9091,
        "saved_p50_ms": 210,
        "saved_total_ms": 2100,
    }
    told = "replies begun before the turn was over: 10 of 11 = 90.9%; saved: 210 ms at the median, 2100 ms in all"
    assert told in shown(verdict)
    assert told in render(verdict)


def test_few_replies_give_neither_a_share_nor_a_median(verdict: Verdict) -> None:
    few = Verdict(4, 1, verdict.ours[:2])
    assert few.as_json()["speculation"] == {
        "n": 2,
        "hits": 2,
        "rate": None,
        "saved_p50_ms": None,
        "saved_total_ms": 420,
    }
    assert "2 of 2; saved: fewer than 10 events for a median, 420 ms in all" in shown(few)


# Some families, several at once

ENDS = frozenset({Family.ENDS})


def test_of_some_families_only_those_goals_are_judged_that_they_have_events_for(verdict: Verdict) -> None:
    good = Verdict(4, 1, tuple([call(4950)] * 11), families=ENDS)
    assert good.ok
    assert {goal.measure for goal in good.goals} >= {Measure.TURN_GAP, Measure.DEAD_AIR}
    assert not {goal.measure for goal in good.goals} & {Measure.STOP, Measure.BACKCHANNEL}
    assert list(good.as_json()["families"]) == ["ends"]
    assert not Verdict(4, 1, verdict.ours, families=ENDS).ok


def test_where_nothing_can_be_judged_nothing_is_said_to_be_good() -> None:
    nothing = Verdict(4, 1, (turned_away(),), families=ENDS)
    assert (nothing.goals, nothing.ok) == ((), False)
    assert "too few events" in shown(nothing)


def test_calls_that_were_turned_away_are_counted_and_neither_failed_nor_cut_short(verdict: Verdict) -> None:
    busy = Verdict(4, 1, (turned_away(), *verdict.ours, turned_away()))
    found = busy.as_json()
    assert (found["calls"], found["turned_away"], found["cut_short"]) == (11, 2, [])
    assert (found["measures"], found["failures"]) == (verdict.as_json()["measures"], verdict.as_json()["failures"])
    assert "turned away: 2 of 13 calls" in shown(busy)
    assert "2 more were turned away" in render(busy)


@pytest.mark.parametrize(("onset_ms", "good"), [(5250, True), (5260, False)], ids=["1.5 times", "more"])
def test_times_of_calls_at_once_are_held_against_one_at_a_time(onset_ms: int, good: bool) -> None:
    verdict = Verdict(4, 1, tuple([call(onset_ms)] * 10), families=ENDS, at_once=2, alone=tuple([call(5000)] * 10))
    found = json.loads(json.dumps(verdict.as_json()))
    assert found["alone"]["turn_gap_ms"]["p50"] == 500
    assert found["times_alone"]["turn_gap_ms"] == {"p50": (onset_ms - 4500) / 500, "p95": (onset_ms - 4500) / 500}
    gaps = [goal for goal in verdict.goals if goal.measure is Measure.TURN_GAP]
    assert [(goal.bound, goal.reached(verdict.tallies)) for goal in gaps] == [(750, good)] * 2
    assert f"p50 {(onset_ms - 4500) / 500:.2f}" in shown(verdict)


def test_without_a_run_alone_calls_at_once_have_the_usual_goals() -> None:
    verdict = Verdict(4, 1, tuple([call(5000)] * 10), at_once=2)
    assert verdict.goals == GOALS
    assert verdict.as_json()["times_alone"] is None


def test_without_a_baseline_none_is_shown(verdict: Verdict) -> None:
    assert Verdict(1, 1, verdict.ours).as_json()["silence_only"] is None


class Tags(HTMLParser):
    """Checks that tags close in order, and counts them."""

    VOID = frozenset({"meta", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "p", "title") and self.get_starttag_text() is not None:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("p", "title"):
            assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing_from_elsewhere(verdict: Verdict) -> None:
    page = render(verdict)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.seen.count("svg") == tags.seen.count("h2") == 11
    assert not re.search(r"https?://|<script|<link|src=", page)


def test_words_of_the_call_are_escaped(verdict: Verdict) -> None:
    page = render(verdict)
    assert "is 3 &lt; 4 &amp; so on" in page
    assert "Yes &lt;it&gt; is." in page
    assert "<it>" not in page


def test_the_stages_of_a_turn_follow_one_another_up_to_the_onset() -> None:
    turn = told(3500, 4500, timings=TIMINGS)
    assert stages(turn, [Span(100, 2600), Span(5000, 8000)]) == (
        Stage("endpoint", 4500, 320),
        Stage("transcribe", 4820, 60),
        Stage("first-token", 4880, 40),
        Stage("first-phrase", 4920, 50),
        Stage("send", 4970, 30),
    )


def test_a_reply_that_was_held_lies_in_a_row_of_its_own() -> None:
    turn = told(3500, 4500, timings={**TIMINGS, "transcribe_ms": 0, "speculated": 1})
    assert stages(turn, [Span(4850, 8000)]) == (
        Stage("endpoint", 4500, 320),
        Stage("first-token", 4500, 40, row=1),
        Stage("first-phrase", 4540, 50, row=1),
        Stage("send", 4820, 30),
    )


def test_a_turn_without_timings_has_no_stages() -> None:
    assert stages(told(0, 0, timings={}), []) == ()
