"""The parent of several workers: what it does about those that can't start, or are too many for their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony_agent.cli.workers import Workers, WorkersFailedError
from telephony_agent.errors import SettingError
from telephony_agent.settings import Settings
from tests.loopback.many_workers import cant_start, starts_once, work

pytestmark = pytest.mark.long


def test_workers_that_can_not_start_end_the_server(tmp_path: Path) -> None:
    settings = Settings(AGENT_PORT="0", AGENT_DATA_DIR=str(tmp_path))
    with pytest.raises(WorkersFailedError):
        Workers(settings, 1, cant_start).run()


def test_a_worker_that_can_not_start_again_does_not_end_a_server_that_has_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telephony_agent.cli.workers.GROWN_UP_S", 3.0)
    settings = Settings(AGENT_PORT="0", AGENT_DATA_DIR=str(tmp_path))
    Workers(settings, 1, starts_once).run()
    assert (tmp_path / "starts").read_text() == "xxx"


@pytest.mark.parametrize(("places", "count"), [("1", 2), ("3", 4)])
def test_more_workers_than_places_are_refused(tmp_path: Path, places: str, count: int) -> None:
    settings = Settings(AGENT_MAX_CALLS=places, AGENT_DATA_DIR=str(tmp_path))
    with pytest.raises(SettingError, match="AGENT_MAX_CALLS"):
        Workers(settings, count, work)
