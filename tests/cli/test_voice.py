"""``telephony-agent voice``: a recording talks with a real server; keys are typed; what is missing is named."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from telephony_agent.cli.typed_keys import typed_keys
from telephony_agent.cli.voice import voice
from telephony_agent.engines.scripted import Hold, ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.simulator.script import Voice
from telephony_agent.simulator.speech import Speaker
from tests.loopback.agent import API_TOKEN, AUTH_TOKEN, PUBLIC_URL, Parts, running

app = typer.Typer()
app.command()(voice)


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith(("AGENT_", "TWILIO_"))}
    result = CliRunner().invoke(app, arguments, env={**clean, **environment})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return 2, str(result.exception)
    return result.exit_code, " ".join((result.stdout + result.stderr).replace("│", " ").split())


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run where there is no .env."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def question(tmp_path: Path) -> Path:
    path = tmp_path / "question.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(Speaker().text("what is it about", Voice()).tobytes())
    return path


def test_a_recording_is_answered_and_both_sides_are_shown_and_recorded(tmp_path: Path, question: Path) -> None:
    parts = Parts(
        # The first step is spent on warming up; the same words are understood at every attempt.
        transcriber=ScriptedTranscriber([""], otherwise="what is it about"),
        responder=ScriptedResponder(otherwise="It is about booking."),
        synthesizer=ScriptedSynthesizer(ms_per_character=15),
    )
    with running(parts) as agent:
        code, told = run(
            *("--url", agent.url, "--public-url", PUBLIC_URL, "--auth-token", AUTH_TOKEN, "--api-token", API_TOKEN),
            *("--wav", str(question), "--record", "call.wav"),
        )
    assert code == 0, told
    assert "understood: what is it about" in told
    assert "says: It is about booking." in told
    assert "ended by caller" in told
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        both = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    assert (np.abs(both).max(axis=0) > 1000).all()


def test_ctrl_c_hangs_up_and_what_was_said_is_recorded(tmp_path: Path, question: Path) -> None:
    hold = Hold()

    def interrupts(messages: object) -> Hold:
        os.kill(os.getpid(), signal.SIGINT)
        return hold

    parts = Parts(
        transcriber=ScriptedTranscriber([""], otherwise="what is it about"),
        responder=ScriptedResponder(interrupts),
        synthesizer=ScriptedSynthesizer(ms_per_character=15),
    )
    to_agent = ("--public-url", PUBLIC_URL, "--auth-token", AUTH_TOKEN)
    with running(parts) as agent:
        code, told = run("--url", agent.url, *to_agent, "--wav", str(question), "--record", "call.wav")
        hold.release.set()
    assert code == 0, told
    assert "ended by caller" in told
    assert (tmp_path / "call.wav").stat().st_size > 8000


def test_an_agent_that_does_not_run_ends_with_1(question: Path) -> None:
    code, told = run("--url", "http://127.0.0.1:9", "--auth-token", "1", "--wav", str(question))
    assert code == 1
    assert "no transcripts" in told


def test_the_settings_of_this_machine_tell_where_the_agent_is(question: Path) -> None:
    code, told = run("--wav", str(question), AGENT_PORT="9", TWILIO_AUTH_TOKEN="1")
    assert code == 1
    assert "127.0.0.1:9" in told


def test_without_a_token_to_sign_with_the_fix_is_named(question: Path) -> None:
    code, told = run("--wav", str(question))
    assert code == 2
    assert "TWILIO_AUTH_TOKEN" in told


def test_a_recording_that_cannot_be_read_or_written_is_told_before_the_call(question: Path) -> None:
    code, told = run("--auth-token", "1", "--wav", "missing.wav")
    assert code == 2
    assert "missing.wav can't be read" in told
    code, told = run("--auth-token", "1", "--wav", str(question), "--record", "nowhere/call.wav")
    assert code == 2
    assert "--record" in told


def test_without_sounddevice_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    code, told = run("--auth-token", "1")
    assert code == 2
    assert "pip install" in told
    assert "--wav" in told


def test_keys_are_handed_over_as_they_are_typed() -> None:
    async def story() -> None:
        keys, came = [], asyncio.Event()

        def press(typed: str) -> None:
            keys.append(typed)
            came.set()

        keyboard, file = pty.openpty()
        with os.fdopen(file) as terminal, typed_keys(terminal, press) as typing:
            assert typing
            os.write(keyboard, b"1#")
            await asyncio.wait_for(came.wait(), 10)
        os.close(keyboard)
        assert "".join(keys) == "1#"

    asyncio.run(story())


def test_where_there_is_no_terminal_no_keys_are_typed(tmp_path: Path) -> None:
    async def story() -> None:
        with (tmp_path / "input").open("w+") as file, typed_keys(file, lambda _: None) as typing:
            assert not typing

    asyncio.run(story())
