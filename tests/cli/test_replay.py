"""``telephony-agent replay``: what it prints of a call on the stage, and how it exits."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from telephony_agent.cli.main import app
from telephony_agent.cli.replay import cut_offs, paired
from telephony_agent.core.conversation import Turn, TurnInput
from telephony_agent.core.rule_data import RuleError
from telephony_agent.core.trace import TraceError
from tests.calls.traced import a_hesitation, a_question


@pytest.fixture
def hesitation(tmp_path: Path) -> Path:
    path = tmp_path / "CA1.jsonl"
    path.write_text("".join(a_hesitation().lines))
    return path


def replay(*arguments: object) -> Result:
    command = ["replay", *map(str, arguments)]
    return CliRunner().invoke(app, command, env={"COLUMNS": "200"}, catch_exceptions=False)


def test_a_recorded_call_is_reproduced(hesitation: Path) -> None:
    shown = replay(hesitation)
    assert shown.exit_code == 0
    assert "every action as recorded" in shown.output


def test_another_rule_shows_its_differences(hesitation: Path) -> None:
    shown = replay(hesitation, "--set", "judge=silence", "--set", "judge.wait=300")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert any("caller went on within" in line and "│ 0" in line and "│ 1" in line for line in lines)
    assert any("+" in line and "I would like um" in line for line in lines)
    assert "Note: a transcript is that of the nearest recorded utterance" in shown.output


def test_a_call_that_goes_another_way_exits_with_1_and_shows_where(hesitation: Path) -> None:
    hesitation.write_text(hesitation.read_text().replace('["clear"]', '["mark","t9p9"]', 1).replace("t0p1", "t0p7", 1))
    shown = replay(hesitation)
    assert shown.exit_code == 1
    assert "went another way" in shown.output
    assert "recorded:" in shown.output
    assert "t0p7" in shown.output
    assert "This version under the recorded rules" in shown.output


def test_a_recording_without_an_end_says_so(tmp_path: Path) -> None:
    path = tmp_path / "CA1.jsonl"
    path.write_text("".join(a_question().lines[:-1]))
    shown = replay(path)
    assert shown.exit_code == 0
    assert "breaks off" in shown.output


@pytest.mark.parametrize(
    ("text", "message"), [(None, "can't be read"), ("", "line 1"), ("{}", "line 1"), ("\xff", "line 1")]
)
def test_what_is_no_trace_is_an_error(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "CA1.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TraceError, match=message):
        replay(path)


def test_a_phrasebook_of_another_version_is_an_error(hesitation: Path) -> None:
    hesitation.write_text(hesitation.read_text().replace('"goodbye":', '"farewell":', 1))
    with pytest.raises(TraceError, match="another version"):
        replay(hesitation)


def test_a_rule_that_does_not_exist_is_an_error(hesitation: Path) -> None:
    with pytest.raises(RuleError, match="hangover_ms"):
        replay(hesitation, "--set", "endpointing.patience_ms=3")


def turn(number: int, started_ms: int, ended_ms: int = 0, kind: TurnInput = TurnInput.SPEECH) -> Turn:
    return Turn(number, kind, started_ms, ended_ms or started_ms + 1000)


def test_turns_are_paired_by_when_the_caller_spoke() -> None:
    greeting = Turn(0, TurnInput.GREETING)
    recorded = [greeting, turn(1, 5000), turn(2, 9000), Turn(3, TurnInput.SILENCE)]
    retold = [greeting, turn(1, 5040), turn(2, 7000), turn(3, 9100), turn(4, 12_000)]
    numbers = [
        (pair.recorded.number if pair.recorded else None, pair.retold.number if pair.retold else None)
        for pair in paired(recorded, retold)
    ]
    assert numbers == [(0, 0), (1, 1), (None, 2), (2, 3), (3, None), (None, 4)]


def test_turns_are_paired_stream_by_stream() -> None:
    back = Turn(3, TurnInput.RETURN)
    recorded = [turn(1, 5000), turn(2, 9000), back, turn(4, 2000)]
    retold = [turn(1, 5000), back, turn(3, 2100), turn(4, 9000)]
    numbers = [
        (pair.recorded.number if pair.recorded else None, pair.retold.number if pair.retold else None)
        for pair in paired(recorded, retold)
    ]
    assert numbers == [(1, 1), (2, None), (3, 3), (4, 3), (None, 4)]
    assert [pair.retold for pair in paired(recorded, retold[:1])] == [retold[0], None, None, None]


def test_who_speaks_in_another_stream_was_not_cut_off() -> None:
    assert cut_offs([turn(1, 5000, 6000), Turn(2, TurnInput.RETURN), turn(3, 2000, 3000), turn(4, 4000)]) == 1


def test_a_caller_who_goes_on_at_once_was_cut_off() -> None:
    assert cut_offs([turn(1, 5000, 6000), turn(2, 7000, 8000), turn(3, 11_000)]) == 1
    assert cut_offs([turn(1, 5000, 6000), turn(2, 7000, kind=TurnInput.ASIDE), turn(3, 11_000)]) == 0
