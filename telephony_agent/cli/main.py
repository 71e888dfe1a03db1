"""The command ``telephony-agent``: its sub-commands, and how errors reach the user.

A ``TelephonyAgentError`` is the user's to mend: one line, exit code 2.
"""

from __future__ import annotations

import sys

import typer

from telephony_agent import __version__
from telephony_agent.cli.calls import calls
from telephony_agent.cli.campaign import app as campaign_app
from telephony_agent.cli.chat import chat
from telephony_agent.cli.dial import dial
from telephony_agent.cli.doctor.command import doctor
from telephony_agent.cli.memory import compliance_app, do_not_call_app, forget, leads_app
from telephony_agent.cli.models import app as models_app
from telephony_agent.cli.number import app as number_app
from telephony_agent.cli.playbook import app as playbook_app
from telephony_agent.cli.replay import replay
from telephony_agent.cli.serve import serve
from telephony_agent.cli.simulate import simulate
from telephony_agent.cli.twin import twin
from telephony_agent.cli.voice import voice
from telephony_agent.errors import TelephonyAgentError

app = typer.Typer(
    name="telephony-agent",
    help="A phone agent for your own machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve)
app.command()(simulate)
app.command()(dial)
app.command()(twin)
app.command()(chat)
app.command()(voice)
app.command()(replay)
app.command()(doctor)
app.command()(calls)
app.command()(forget)
app.add_typer(campaign_app, name="campaign")
app.add_typer(leads_app, name="leads")
app.add_typer(do_not_call_app, name="do-not-call")
app.add_typer(compliance_app, name="compliance")
app.add_typer(playbook_app, name="playbook")
app.add_typer(models_app, name="models")
app.add_typer(number_app, name="number")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """A phone agent for your own machine."""


def main() -> None:
    """Run the command line."""
    try:
        app()
    except TelephonyAgentError as error:
        sys.stderr.write(f"telephony-agent: {error}\n")
        sys.exit(2)
