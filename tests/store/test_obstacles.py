"""A full disk or a locked database never breaks a live call: the calls go on, and the record arrives later."""

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

from .test_server_death import CHECKOUT
from .whole_server import CAST, LAST_WORD, WHOLE_LIFE, number_in

pytestmark = pytest.mark.long

ERRORS = {"lock": "locked", "disk": "disk"}
OPTS_OUT = [number_in(0, number) for number, part in enumerate(CAST) if WHOLE_LIFE[part.name] == "do_not_call"]


@pytest.fixture(scope="module", params=ERRORS)
def left(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What came of calls whose server could write nothing as long as they lasted."""
    folder = tmp_path_factory.mktemp("obstructed")
    shutil.copy(sqlite_template, folder / FILE_NAME)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.store.obstructed", str(folder), request.param]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {"obstacle": request.param, **json.loads(done.stdout)}


def test_every_call_goes_on_to_its_end(left: Any) -> None:
    for number, _ in enumerate(CAST):
        assert [line["heard"] for line in left["heard"] if line["part"] == number][-1] == LAST_WORD


def test_the_health_says_that_records_wait_and_why(left: Any) -> None:
    assert ERRORS[left["obstacle"]] in left["meanwhile"]["last_error"]
    assert left["meanwhile"]["pending"] >= 3 * len(CAST)
    assert left["meanwhile"]["lost"] == left["meanwhile"]["refused"] == 0
    assert left["known meanwhile"] == 0


def test_every_record_arrives_once_the_database_takes_them_again(left: Any) -> None:
    assert left["afterwards"] == {"pending": 0, "lost": 0, "refused": 0, "last_error": ""}
    assert left["dispositions"] == {number_in(0, number): WHOLE_LIFE[part.name] for number, part in enumerate(CAST)}
    assert left["do not call"] == OPTS_OUT
    assert left["deliveries"] == len(CAST)
