"""A server that is killed at any step of a campaign dials nobody twice, loses nobody, and ends as its calls did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .mortal_campaign import MANNERS, PEOPLE, REFUSED
from .town import number_of

pytestmark = pytest.mark.long

CHECKOUT = Path(__file__).parents[2]
MEMORY = Path("/dev/shm")
POINTS = 40


@pytest.fixture(scope="module")
def lives() -> Iterator[list[dict[str, Any]]]:
    """What happened in each life, and at last how every lead stands."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.live.mortal_campaign", folder, str(POINTS)]
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        yield [json.loads(line) for line in done.stdout.splitlines()]


def rung(lives: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(number, call_id) for life in lives[:-1] for number, call_id in life["rung"]]


def test_most_lives_were_cut_short(lives: list[dict[str, Any]]) -> None:
    assert sum(not life["lived"] for life in lives[:-1]) >= POINTS // 2
    assert lives[-1]["state"] == "finished"


def test_no_telephone_rang_twice(lives: list[dict[str, Any]]) -> None:
    assert max(Counter(number for number, _ in rung(lives)).values()) == 1
    forbidden = {number_of(person) for person in REFUSED}
    assert not forbidden & {number for number, _ in rung(lives)}


def test_every_lead_came_to_one_end_and_it_is_its_calls(lives: list[dict[str, Any]]) -> None:
    leads = lives[-1]["leads"]
    assert [one["person"] for one in leads] == list(range(PEOPLE))
    for one in leads:
        if (reason := REFUSED.get(one["person"])) is not None:
            assert (one["state"], one["reason"], one["attempts"]) == ("refused", reason, 0), one
        else:
            assert (one["state"], one["attempts"]) == ("done", 1), one
            assert one["call"] == {"line_result": one["line_result"], "disposition": one["disposition"]}, one


def test_whoever_was_not_cut_short_ended_as_he_is(lives: list[dict[str, Any]]) -> None:
    last = {number for number, _ in lives[-2]["rung"]}
    for one in lives[-1]["leads"]:
        if number_of(one["person"]) in last:
            expected = MANNERS[one["person"]].line if one["person"] in MANNERS else "answered"
            assert one["line_result"] == expected, one


def test_a_call_that_never_rang_failed_and_nothing_else(lives: list[dict[str, Any]]) -> None:
    seen = {call_id for _, call_id in rung(lives)}
    for one in lives[-1]["leads"]:
        if one["call_id"] is not None and one["call_id"] not in seen:
            assert one["line_result"] == "failed", one
