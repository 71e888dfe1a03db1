"""``telephony-agent simulate --callee``: the agent calls somebody of the twin's, and what came of it is shown."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from telephony_agent.cli.main import app


@pytest.mark.torch
def test_an_agent_calls_somebody_who_hangs_up_at_once_and_what_came_of_it_is_one_object() -> None:
    settings = {"AGENT_MODELS": "pocket", "AGENT_ENGINE_THREADS": "1"}
    shown = CliRunner().invoke(app, ["simulate", "--callee", "quick-hangup", "--json"], env=settings)
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found == {"line_result": "answered", "disposition": "hung_up", "summary": found["summary"]}
    assert "Anna Miller" in found["summary"]
    assert "hung up (line: answered)" in shown.stderr


@pytest.mark.parametrize("name", ["nobody-we-know", "../secrets"])
def test_a_callee_who_does_not_exist_is_a_usage_error_before_anything_is_started(name: str) -> None:
    shown = CliRunner().invoke(app, ["simulate", "--callee", name])
    assert shown.exit_code == 2
    assert "--callee" in shown.stderr
    assert "starting the agent" not in shown.output
