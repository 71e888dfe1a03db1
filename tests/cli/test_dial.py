"""The command ``dial``, and the client under it, against a running agent that dials through the twin."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

import telephony_agent
from telephony_agent.cli.dial import dial as dial_command
from telephony_agent.client import AgentClient, AgentError, DialRefused
from telephony_agent.errors import SettingError
from tests.loopback.agent import API_TOKEN
from tests.loopback.dialled import World, dialling, parts, run
from tests.simulator.twin import BUSY, SHORT

app = typer.Typer()
app.command()(dial_command)
CONSENT = "Yes, call me about the booking system."


async def command(world: World, *arguments: str) -> Result:
    """Run the command in a thread, as it waits for the call."""
    at = ("--url", world.agent.url, "--api-token", API_TOKEN)
    return await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *at])


def test_a_call_is_shown_and_its_outcome_is_the_exit_code(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            busy = await command(world, BUSY, "--name", "Anna", "--consent", CONSENT)
            short = await command(world, SHORT, "--consent", CONSENT)
            unwatched = await command(world, BUSY, "--consent", CONSENT, "--no-wait")
        assert busy.exit_code == 1
        assert "not reached (line: busy)" in busy.output
        assert "Anna: not reached" in busy.output
        assert short.exit_code == 0, short.output
        assert "hung up (line: answered)" in short.output
        assert unwatched.exit_code == 0
        assert unwatched.output.startswith("out-")

    run(story)


def test_a_refusal_says_why_and_what_to_do(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            refused = await command(world, BUSY)
            unknown = await command(world, "--lead", "99")
            assert not world.exchange.records
        assert refused.exit_code == 1
        assert "not called (no_consent)" in refused.output
        assert "--consent" in refused.output
        assert isinstance(unknown.exception, AgentError)

    run(story)


def test_a_number_or_a_lead_is_needed() -> None:
    for arguments in ([], [BUSY, "--lead", "1"]):
        wrong = CliRunner().invoke(app, arguments)
        assert wrong.exit_code == 2
        assert "--lead" in wrong.output


def test_a_script_dials_with_one_function(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            at = {"url": world.agent.url, "api_token": API_TOKEN}
            report = await asyncio.to_thread(telephony_agent.dial, BUSY, name="Anna", consent=CONSENT, **at)
            assert (report.line_result, report.disposition) == ("busy", "not_reached")
            assert not report.reached
            with pytest.raises(DialRefused, match="consent") as refused:
                await asyncio.to_thread(telephony_agent.dial, BUSY, **at)
            assert refused.value.reason == "no_consent"

    run(story)


def test_an_agent_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with AgentClient("http://127.0.0.1:9", "token") as client, pytest.raises(AgentError, match="telephony-agent serve"):
        client.dial(BUSY)
    monkeypatch.delenv("AGENT_API_TOKEN", raising=False)
    with pytest.raises(SettingError, match="AGENT_API_TOKEN"):
        telephony_agent.dial(BUSY, url="http://127.0.0.1:9")
