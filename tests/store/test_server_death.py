"""A whole server that is killed at any step of its calls: the next one finds each of them concluded, whole and once.

By default it is killed at 30 steps; ``AGENT_TEST_DEATHS=100`` makes them as many as the project promises.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telephony_agent.store.database import FILE_NAME
from telephony_agent.store.tables import Base

from .whole_server import CAST, LAST_WORD, LINES, OPT_OUT, WHOLE_LIFE, YES, Part

pytestmark = pytest.mark.long

CHECKOUT = Path(__file__).parents[2]
MEMORY = Path("/dev/shm")
DEATHS = int(os.environ.get("AGENT_TEST_DEATHS", "30"))
POINTS = {"sqlite": DEATHS, "postgres": max(DEATHS // 5, 20)}
PARTS = {part.name: part for part in CAST}
Left = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory: what a killed process wrote is the system's, and to wait for a disk would prove nothing."""
    if not MEMORY.is_dir():
        yield tmp_path_factory.mktemp("lives")
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def left(request: pytest.FixtureRequest, folder: Path) -> list[Left]:
    """What is left of every call in every life of a server, and at last of all of them."""
    url = ""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / FILE_NAME)
    else:
        cluster = request.getfixturevalue("cluster")
        database = request.getfixturevalue("postgres_database")
        cluster.empty(database, Base.metadata.tables)
        url = cluster.url(database)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.store.mortal_server", str(folder), url, str(POINTS[request.param])]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_life_that_nobody_ends_has_every_kind_of_call(left: list[Left]) -> None:
    first = [one for one in left[:-1] if one["life"] == 0]
    assert {one["part"]: one["call"]["disposition"] for one in first} == WHOLE_LIFE
    assert all(one["heard"][-1] == LAST_WORD for one in first)


def test_the_lives_end_at_very_different_moments(left: list[Left]) -> None:
    moments = {
        tuple(len(one["heard"]) for one in left[:-1] if one["life"] == life)
        for life in {one["life"] for one in left[:-1]}
    }
    assert len(moments) >= 10


def test_every_call_has_its_disposition_and_one_delivery(left: list[Left]) -> None:
    for one in left[:-1]:
        call = one["call"]
        if call is not None:
            assert call["disposition"], one
            assert call["line_result"] in ("answered", "failed"), one
            assert one["deliveries"] == 1, one


def test_a_call_whose_greeting_was_heard_is_remembered(left: list[Left]) -> None:
    for one in left[:-1]:
        assert one["call"] is not None or not one["heard"], one


def test_no_opt_out_that_was_confirmed_is_lost_and_none_is_half_written(left: list[Left]) -> None:
    for one in left[:-1]:
        call = one["call"]
        if opted_out_aloud(one):
            assert one["do_not_call"], one
            assert call["disposition"] == "do_not_call", one
        opted_out = call is not None and call["opted_out"]
        assert one["do_not_call"] == opted_out, one
        assert sorted(one["log"]) == (["do_not_call_added", "opt_out"] if opted_out else []), one


def opted_out_aloud(one: Left) -> bool:
    """Whether the caller has heard to its end that nobody will call any more."""
    lines = PARTS[one["part"]].lines
    return OPT_OUT in lines and turns_heard(one) > lines.index(OPT_OUT)


def test_at_most_the_turn_being_spoken_is_lost(left: list[Left]) -> None:
    for one in left[:-1]:
        for number, line in enumerate(PARTS[one["part"]].lines[: max(0, turns_heard(one) - 1)], start=1):
            _, transcript, reply, heard = one["turns"][number]
            assert transcript == line, one
            assert reply, one
            assert reply == heard, one


def test_a_meeting_that_was_agreed_on_aloud_is_booked(left: list[Left]) -> None:
    cut_short = 0
    for one in left[:-1]:
        lines = PARTS[one["part"]].lines
        if YES in lines and turns_heard(one) > lines.index(YES):
            assert one["call"]["disposition"] == "meeting_booked", one
            assert one["call"]["next_step_at"], one
            cut_short += "The server stopped" in one["call"]["summary"]
    assert cut_short, "the guide's own conclusion is not the only one that was seen"


def turns_heard(one: Left) -> int:
    """Return how many turns the caller has heard us out in."""
    part: Part = PARTS[one["part"]]
    heard = one["heard"]
    if heard and heard[-1] == LAST_WORD:
        return len(part.lines) - part.hurried
    return int(heard[-1]) if heard else 0


def test_no_record_is_torn(left: list[Left]) -> None:
    for one in left[:-1]:
        if one["call"] is not None:
            assert [number for number, *_ in one["turns"]] == list(range(len(one["turns"]))), one
            assert all(heard in reply for *_, reply, heard in one["turns"]), one
            assert all(words in ("", *LINES) for _, words, *_ in one["turns"]), one
    assert left[-1]["faults"] == []


def test_the_compliance_log_is_one_chain_and_to_recover_twice_changes_nothing(left: list[Left]) -> None:
    assert left[-1]["log intact"]
    assert left[-1]["recovered again"] == 0
    assert left[-1]["unchanged"]
