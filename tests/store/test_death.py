"""A server that is killed at any step of a call leaves a call with one disposition, and loses no opt-out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telephony_agent.store.database import FILE_NAME
from telephony_agent.store.tables import Base

from .conftest import MakeStore
from .mortal import OUTCOME, RACERS, REPLIES, TURNS

pytestmark = pytest.mark.long

CHECKOUT = Path(__file__).parents[2]
POINTS = 100
"""Points of the call that are tests of their own; those after them are looked at together."""

Left = dict[str, Any]


def mortal(trial: str, folder: Path, url: str) -> list[Left]:
    """Run a trial in an interpreter of its own, which may fork: it has no thread but the first."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.store.mortal", trial, str(folder), url]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def calls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Left]:
    """What is left of a call for every step that it was killed at; the last one wasn't."""
    folder = tmp_path_factory.mktemp("killed")
    url = ""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / FILE_NAME)
    else:
        cluster = request.getfixturevalue("cluster")
        database = request.getfixturevalue("postgres_database")
        cluster.empty(database, Base.metadata.tables)
        url = cluster.url(database)
    return mortal("kill", folder, url)


@pytest.mark.parametrize("point", range(POINTS))
def test_a_call_that_was_killed_at_a_point_is_whole(calls: list[Left], point: int) -> None:
    look_at(calls[point])


def test_so_is_one_that_was_killed_later_or_never(calls: list[Left]) -> None:
    assert len(calls) >= POINTS
    for left in calls[POINTS:]:
        look_at(left)
    assert calls[-1]["told"][-1] == "finished twice"


def test_the_log_of_all_of_them_is_one_chain(calls: list[Left]) -> None:
    assert all(left["log_intact"] for left in calls)


def look_at(left: Left) -> None:
    """Check what is left of one call against what it had reported as written when it died."""
    told, call = left["told"], left["call"]
    if call is None:
        assert told == []
        assert left["log"] == []
        assert left["attempts"] == 0
        assert not left["do_not_call"]
        return
    assert left["attempts"] == 1
    assert left["deliveries"] == 1
    assert (call["disposition"], call["line_result"]) == expected_end(left)
    assert_no_opt_out_is_lost(left)
    assert_no_record_is_torn(left)


def expected_end(left: Left) -> tuple[str, str]:
    """Return the one disposition that a call must have, and its line result."""
    answered = bool(left["call"]["answered_at"])
    if left["call"]["opted_out"]:
        return "do_not_call", "answered"
    return ("hung_up", "answered") if answered else ("failed", "failed")


def assert_no_opt_out_is_lost(left: Left) -> None:
    """An opt-out that was written is on the list, in the log and in the call; one that wasn't, nowhere."""
    opted_out = left["call"]["opted_out"]
    assert opted_out or "opted out" not in left["told"]
    assert left["do_not_call"] == opted_out
    assert left["log"].count("opt_out") == opted_out
    assert left["log"].count("do_not_call_added") == opted_out


def assert_no_record_is_torn(left: Left) -> None:
    """Every record is there whole or not at all, and no earlier one is missing."""
    told, call = left["told"], left["call"]
    turns = {number: rest for number, *rest in left["turns"]}
    for number, rest in turns.items():
        begun, whole = [f"words {number}", "", ""], [f"words {number}", REPLIES[number], REPLIES[number]]
        assert rest in ([begun, whole] if f"turn {number}" not in told else [whole])
    assert all(number in turns for number in TURNS if f"turn {number} begun" in told)
    assert [position for position, _ in left["events"]] == list(range(len(left["events"])))
    assert all(REPLIES[position].startswith(heard) for position, _, heard in left["ledger"])
    if call["summary"] == OUTCOME.summary:
        assert call["slot_name"] == "Anna"
        assert call["slot_company"] == "Example"
        assert call["next_step_zone"] == "America/New_York"
    else:
        assert "finished" not in told
    for size, length in zip(left["sound"], left["headers"], strict=True):
        assert size == length + 44


def test_of_several_processes_that_dial_at_once_one_may(url: str, tmp_path: Path, make_store: MakeStore) -> None:
    answers = [answer["refusal"] for answer in mortal("race", tmp_path, url)]
    assert sorted(answers, key=str) == [None, *["attempts"] * (RACERS - 1)]


def test_an_outcome_whose_sender_is_killed_is_sent_again_under_the_same_call(
    url: str, tmp_path: Path, make_store: MakeStore
) -> None:
    at_once, while_leased, again, later = mortal("deliver", tmp_path, url)
    (first,), (second,) = at_once["told"], again["told"]
    assert first["call_id"] == "CA1"
    assert first == second, "by which the receiver tells that it has it already"
    assert while_leased["told"] == [], "whoever claimed it may still be at it"
    assert later["told"] == []
