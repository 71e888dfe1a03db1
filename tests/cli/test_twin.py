"""The command line of the twin: it serves until it is told to stop, and names what it can't use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import httpx
import pytest
import typer
from typer.testing import CliRunner

from telephony_agent.cli.twin import twin

app = typer.Typer()
app.command()(twin)


def test_it_serves_until_it_is_interrupted() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AGENT_", "TWILIO_"))}
    command = [sys.executable, "-m", "telephony_agent", "twin", "--port", "0", "--agent-number", "+12125550199"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = [process.stdout.readline().split() for _ in range(4)]
            url, account, token = said[0][4].rstrip(";"), said[1][1], said[2][1]
            path = f"/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json"
            numbers = httpx.get(url + path, auth=(account, token), trust_env=False).json()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert [one["phone_number"] for one in numbers["incoming_phone_numbers"]] == ["+12125550199"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--public-url", "https://agent.example"], "needs --agent-url"),
        (["--callee", "nobody"], "no callee 'nobody'"),
        (["--callee", "+12125550199=nobody"], "no callee 'nobody'"),
        (["--fault", "create-call:500"], "must be KIND:FAULT:SHARE"),
        (["--fault", "create-call:500:2"], "must be KIND:FAULT:SHARE"),
        (["--fault", "create-call:earthquake:0.1"], "must be KIND:FAULT:SHARE"),
    ],
)
def test_what_it_cannot_use_is_named(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert complaint in " ".join(result.output.replace("│", " ").split())
