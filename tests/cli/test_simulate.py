"""The command line of the simulator: its usage errors, its exit codes, its one JSON object."""

from __future__ import annotations

import asyncio
import json
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from telephony_agent.cli.simulate import simulate
from tests.simulator.scripted_agent import Agent, Leg, serving
from tests.simulator.scripted_agent import Script as Story

app = typer.Typer()
app.command()(simulate)


async def greets_and_says_goodbye(leg: Leg) -> None:
    await leg.until("start")
    await leg.speak(200)
    await leg.until("dtmf")
    await leg.speak(200, "goodbye")
    await leg.until("mark")
    await leg.websocket.close()


@pytest.fixture
def agent() -> Iterator[Agent]:
    with served(greets_and_says_goodbye) as agent:
        yield agent


@contextmanager
def served(script: Story) -> Iterator[Agent]:
    """Serve an agent from a thread of its own, as the command runs a loop of its own."""
    ready, done, found = threading.Event(), asyncio.Event(), []

    async def serve() -> None:
        async with serving(script) as serving_agent:
            found.append((serving_agent, asyncio.get_running_loop()))
            ready.set()
            await done.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    serving_agent, loop = found[0]
    yield serving_agent
    loop.call_soon_threadsafe(done.set)
    thread.join(10)


def run(*arguments: str, environment: dict[str, str | None] | None = None) -> tuple[int, str, str]:
    clean: dict[str, str | None] = {"TWILIO_AUTH_TOKEN": None, "AGENT_PUBLIC_URL": None, "AGENT_API_TOKEN": None}
    result = CliRunner().invoke(app, arguments, env={**clean, **(environment or {})})
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "keys.yaml"
    path.write_text("about: one key\npatience_ms: 100\ngive_up_ms: 3000\nsteps:\n  - keys: '1'\n")
    return str(path)


TO_AGENT = ("--public-url", "https://agent.example", "--auth-token", "12345, older")


def test_a_good_call_exits_with_0_and_prints_one_object(agent: Agent, script: str, tmp_path: Path) -> None:
    wav = tmp_path / "call.wav"
    code, out, err = run("--url", agent.url, *TO_AGENT, "--script", script, "--json", "--record", str(wav))
    assert code == 0, err
    found = json.loads(out)
    assert (found["ended_by"], found["recording"]) == ("agent", str(wav))
    assert found["turns"][0]["gap_ms"] is not None
    assert "The call ran to its intended end" in err
    with wave.open(str(wav)) as file:
        assert file.getnchannels() == 2
        assert file.getnframes() > 8000 * 0.4


def test_transcripts_are_asked_for_when_there_is_a_token(agent: Agent, script: str) -> None:
    turn = {"turn": 1, "input": "dtmf", "started_ms": 0, "ended_ms": 60_000, "transcript": "1", "reply_heard": "Bye."}
    agent.account = {"turns": [turn]}
    code, out, _ = run("--url", agent.url, *TO_AGENT, "--script", script, "--json", "--api-token", "api")
    assert code == 0
    assert json.loads(out)["turns"][0]["reply_heard"] == "Bye."


def test_a_call_with_another_end_than_intended_exits_with_1(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "short.yaml"
    path.write_text("steps:\n  - hang_up: now\n")
    code, out, _ = run("--url", agent.url, *TO_AGENT, "--script", str(path))
    assert code == 1
    assert "the agent was to end the call" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--script", "nope"), "no caller script 'nope'"),
        (("--url", "127.0.0.1:8080", "--auth-token", "1"), "must begin with http"),
        (("--url", "http://127.0.0.1:8080"), "TWILIO_AUTH_TOKEN"),
        (("--url", "http://127.0.0.1:8080", "--auth-token", "1", "--public-url", "x"), "must begin with https"),
        (("--fast",), "No such option"),
    ],
)
def test_a_usage_error_exits_with_2_and_says_what_to_do(arguments: tuple[str, ...], complaint: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert complaint in " ".join(err.replace("│", " ").split())


def test_a_recording_that_cannot_be_written_is_told_before_the_call(agent: Agent, script: str, tmp_path: Path) -> None:
    wav = tmp_path / "missing" / "call.wav"
    code, _, err = run("--url", agent.url, *TO_AGENT, "--script", script, "--record", str(wav))
    assert code == 2
    assert "--record" in err
    assert agent.requests == []
