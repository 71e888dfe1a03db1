"""``telephony-agent chat``: what a conversation looks like on the terminal, and what is shown of its end."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from telephony_agent.cli.chat import converse, lines
from telephony_agent.engines.scripted import ScriptedResponder
from telephony_agent.live.lanes import Lane
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.phrasebook import Phrasebook
from tests.loopback.agent import PLAYBOOK

ANNA = Lead(name="Anna Miller", phone="+12125550199")


def shown(replies: Iterable[str], said: Sequence[str]) -> str:
    """Return what the terminal shows of a conversation in which both sides say these things."""
    lane = Lane("respond")
    terms = TextTerms(ScriptedResponder(replies), lane, 10.0, Phrasebook.shipped())
    console = Console(file=io.StringIO(), width=100)
    try:
        converse(TextDesk(SalesDesk(PLAYBOOK), terms), ANNA, lines(console, list(said)), console)
    finally:
        lane.close()
        lane.join(1.0)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(output: str, name: str) -> str:
    """Return the value of a row of the outcome's table."""
    (line,) = (line for line in output.splitlines() if line.startswith(f"│ {name} "))
    return line.split("│")[2].strip()


def test_both_sides_are_shown_from_the_greeting_on() -> None:
    output = shown(["It is about [bold] booking. Would you like to see it?"], ["What is it about?"])
    assert output.splitlines()[:3] == [
        PLAYBOOK.greeting,
        "> What is it about?",
        "It is about booking. Would you like to see it? ",
    ]


def test_who_says_no_more_has_hung_up() -> None:
    output = shown([], ["Tell me more"])
    assert row(output, "ended by") == "caller"
    assert row(output, "disposition") == "hung_up"


def test_what_is_said_after_the_end_is_not_heard() -> None:
    output = shown([], ["Take me off your list", "and one more thing"])
    assert "one more thing" not in output
    assert row(output, "disposition") == "do_not_call"
    assert row(output, "opted out") == "yes"


def test_the_outcome_tells_what_was_agreed() -> None:
    output = shown([], ["My email is anna at example dot com", "Yes, that's right", "Call me back next Friday at ten"])
    assert row(output, "email") == "anna@example.com"
    assert row(output, "next step").startswith("callback Friday")
    assert row(output, "disclosed") == "yes"


def test_what_is_typed_is_said_until_an_empty_line_or_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO())
    for typed in ("hello\n how much is it \n\nunheard\n", "hello\nhow much is it\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert list(lines(console, None)) == ["hello", "how much is it"]


@pytest.mark.torch
def test_the_pocket_model_talks_by_a_playbook_of_ones_own(tmp_path: Path) -> None:
    playbook = tmp_path / "mine.yaml"
    playbook.write_text(
        PLAYBOOK.model_copy(update={"greeting": "Hi, this is Zoe, the AI of Bluefinch."}).model_dump_json()
    )
    command = [sys.executable, "-m", "telephony_agent", "chat", "--playbook", str(playbook), "--phone", "+15005550006"]
    command += [
        "--say",
        "Can we meet on Friday at ten in the morning?",
        "--say",
        "Yes, that's right.",
        "--say",
        "Goodbye.",
    ]
    settings = {"AGENT_MODELS": "pocket", "AGENT_ENGINE_THREADS": "1"}
    told = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **settings, "COLUMNS": "100"}, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("Hi, this is Zoe, the AI of Bluefinch.")
    assert "[END_CALL]" not in told.stdout
    assert row(told.stdout, "disposition") == "meeting_booked"
    assert row(told.stdout, "ended by") == "goodbye"


def test_a_number_that_is_none_is_named_before_the_model_is_loaded(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "telephony_agent", "chat", "--phone", "555"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 2
    assert told.stderr.startswith("telephony-agent: phone: '555'")
