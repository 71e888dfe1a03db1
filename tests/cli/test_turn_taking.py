"""The suite's command line: what it refuses before it starts anything, and a small run of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from telephony_agent.cli.turn_taking import families_named
from telephony_agent.simulator.suite import Family
from tests.cli.test_simulate import TO_AGENT, run, served
from tests.simulator.calls import greets_and_closes


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--suite", "manners"), "'manners' is not"),
        (("--suite", "turn-taking", "--repeat", "0"), "--repeat"),
        (("--suite", "turn-taking", "--at-once", "0"), "--at-once"),
        (("--suite", "turn-taking", "--families", "ends,manners"), "there is no family 'manners'; there are pauses,"),
        (("--suite", "turn-taking", "--url", "http://127.0.0.1:1"), "--auth-token"),
    ],
)
def test_a_wrong_order_is_a_usage_error(arguments: tuple[str, ...], complaint: str) -> None:
    code, _, stderr = run(*arguments)
    assert code == 2
    assert complaint in " ".join(stderr.replace("│", " ").split())


def test_families_are_named_with_blanks_or_hyphens_and_none_means_all() -> None:
    assert families_named("ends, side-talk,hold music") == {Family.ENDS, Family.SIDE_TALK, Family.HOLD_MUSIC}
    assert families_named("") == frozenset(Family)


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_some_families_are_played_one_at_a_time_and_then_at_once_and_the_report_is_written(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    order = ("--suite", "turn-taking", "--families", "silence", "--repeat", "2", "--at-once", "2", "--json")
    with served(greets_and_closes) as agent:
        code, out, err = run("--url", agent.url, *TO_AGENT, *order, "--report", str(report))
    found = json.loads(out)
    assert code == 1, "an agent that doesn't reprompt doesn't handle a silent caller"
    assert "missed: silent_caller_handled" in err
    assert "2 calls at once" in err
    assert (found["calls"], found["at_once"], list(found["families"])) == (2, 2, ["silence"])
    assert found["alone"]["silent_caller_handled"] == {"n": 2, "hits": 0, "rate": None}
    assert len(agent.legs) == 4
    assert report.read_text().count("<h2>silence") == 2


def test_a_report_goes_into_a_folder_that_is_there(tmp_path: Path) -> None:
    code, _, stderr = run("--suite", "turn-taking", "--report", str(tmp_path / "gone" / "report.html"))
    assert code == 2
    assert "there is no folder" in stderr
