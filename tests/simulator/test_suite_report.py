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
from telephony_agent.simulator.suite import GOALS, Family, Played, Verdict, render
from telephony_agent.simulator.suite.report_html import Stage, stages
from tests.simulator.suite_calls import account, played, told

LINE = SayStep(("is 3 < 4 & so on",))
TIMINGS = {"endpoint_ms": 320, "transcribe_ms": 60, "first_token_ms": 40, "first_phrase_ms": 90, "turn_gap_ms": 470}


def call(onset_ms: int) -> Played:
    tells = account(told(3500, 4500, "Yes <it> is.", timings=TIMINGS))
    return played(Family.ENDS, [LINE], said=[[(3500, 4500)]], agent=[(100, 2600), (onset_ms, 8000)], tells=tells)


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
