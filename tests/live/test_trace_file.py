"""Trace files: one a call, for this user's eyes only, and never at a call's expense."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.completeness import Expectation
from telephony_agent.core.events import CallBegan, EndReason, KeyPressed, SendClear
from telephony_agent.core.replay import reproduce
from telephony_agent.core.trace import header_of, read_trace
from telephony_agent.engines.scripted import ScriptedResponder, ScriptedTranscriber
from telephony_agent.live import trace_file
from telephony_agent.live.trace_file import TraceFolder
from telephony_agent.sales.phrasebook import Phrasebook
from tests.calls.stage import ANNOUNCEMENTS
from tests.loopback.agent import Parts, running
from tests.loopback.client import ask_for_stream, call_sid, connected

HEADER = header_of(CallRules(), ANNOUNCEMENTS, Phrasebook.shipped())


def record(folder: Path, *sids: str) -> None:
    """Trace a short call under each name."""
    traces = TraceFolder(folder)
    for sid in sids:
        trace = traces.open(sid, HEADER)
        trace.step(CallBegan(), 1.0, [SendClear()])
        trace.end(EndReason.CALLER, [])
    traces.close()


def test_a_call_leaves_one_file_that_only_this_user_may_read(tmp_path: Path) -> None:
    record(tmp_path / "made" / "on demand", "CA1")
    (path,) = (tmp_path / "made" / "on demand").iterdir()
    assert path.name == "CA1.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    trace = read_trace(path.read_text().splitlines())
    assert [(step.event, step.actions) for step in trace.steps] == [(CallBegan(), (("clear",),))]


def test_a_call_that_streams_again_does_not_overwrite_its_first_trace(tmp_path: Path) -> None:
    record(tmp_path, "CA1", "CA1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CA1-2.jsonl", "CA1.jsonl"]


def test_a_name_never_leaves_the_folder(tmp_path: Path) -> None:
    record(tmp_path / "traces", "../CA1")
    assert [path.name for path in (tmp_path / "traces").iterdir()] == ["___CA1.jsonl"]


def test_a_folder_that_can_not_be_made_costs_the_trace_only(tmp_path: Path) -> None:
    (tmp_path / "traces").write_text("a file is in the way")
    record(tmp_path / "traces", "CA1")
    assert (tmp_path / "traces").read_text() == "a file is in the way"


def test_rules_that_are_no_data_cost_the_trace_only(tmp_path: Path) -> None:
    class Oracle:
        unknown_ms = 0
        asks_model = False

        def wait_ms(self, text: str, expects: Expectation, ended: float | None = None) -> int:
            return 0

    traces = TraceFolder(tmp_path)
    trace = traces.open("CA1", header_of(CallRules(judge=Oracle()), ANNOUNCEMENTS, Phrasebook.shipped()))
    trace.step(CallBegan(), 1.0, [])
    trace.end(EndReason.CALLER, [])
    traces.close()
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, sys
from pathlib import Path
from telephony_agent.core.events import KeyPressed
from tests.live.test_trace_file import HEADER
from telephony_agent.live.trace_file import TraceFolder
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
traces = TraceFolder(Path(sys.argv[1]))
trace = traces.open("CA1", HEADER)
for i in range(1000):
    trace.step(KeyPressed("1"), float(i), [])
traces.close()
"""


def test_on_a_full_disk_the_trace_ends_with_one_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert done.stderr.count("A call is not traced any further") == 1
    lines = (tmp_path / "CA1.jsonl").read_text().splitlines()
    assert 10 < len(read_trace(lines).steps) < 1000


def test_a_disk_that_can_not_follow_ends_the_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = TraceFolder(tmp_path)
    trace = traces.open("CA1", HEADER)
    trace.step(KeyPressed("1"), 1.0, [])
    monkeypatch.setattr(trace_file, "MAX_WAITING", -1)
    trace.step(KeyPressed("2"), 2.0, [])
    trace.step(KeyPressed("3"), 3.0, [])
    traces.close()
    assert [step.now for step in read_trace((tmp_path / "CA1.jsonl").read_text().splitlines()).steps] == [1.0]


def test_a_call_over_a_real_socket_is_reproduced_to_the_last_action(tmp_path: Path) -> None:
    parts = Parts(
        transcriber=ScriptedTranscriber(["", "how much is it", "no thank you goodbye"]),
        responder=ScriptedResponder(["Ten dollars a month.", "Goodbye then."]),
        trace_dir=tmp_path,
    )

    async def scenario() -> None:
        parameters = ask_for_stream(agent, call_sid())
        async with connected(agent, call_sid()) as client:
            await client.start(parameters)
            await client.until("mark")
            for _ in range(2):
                await client.says()
                await client.until("mark")
            await client.stop()
            await client.closed()

    with running(parts) as agent:
        asyncio.run(scenario())
        account = agent.account(call_sid())
    with (tmp_path / f"{call_sid()}.jsonl").open() as lines:
        trace = read_trace(lines)
    again = reproduce(trace, Phrasebook.shipped())
    assert again.difference is None
    assert again.turns == trace.turns
    assert [turn.transcript for turn in again.turns[1:]] == [turn["transcript"] for turn in account["turns"]]
    assert "how much is it" in [turn.transcript for turn in again.turns]
