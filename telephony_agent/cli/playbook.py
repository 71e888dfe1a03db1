"""``telephony-agent playbook check``: validates a playbook, and shows what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from telephony_agent.cli.build import read_playbook
from telephony_agent.sales.playbook import Playbook

app = typer.Typer(no_args_is_help=True, help="Work on playbooks.")


@app.callback()
def root() -> None:
    """Work on playbooks."""


@app.command("check")
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="The playbook (YAML).")]) -> None:
    """Validate a playbook; print what the model will be told, and the words that are spoken as they stand."""
    playbook = read_playbook(file)
    console = Console()
    console.print(Text("What the model will be told\n", style="bold"))
    console.print(playbook.system_prompt(), markup=False, highlight=False, soft_wrap=True)
    table = Table("when", Column("fixed words", overflow="fold"), title="What is spoken without the model")
    for when, words in _fixed_words(playbook):
        table.add_row(when, Text(words))
    console.print()
    console.print(table)


def _fixed_words(playbook: Playbook) -> list[tuple[str, str]]:
    return [
        ("the greeting", playbook.greeting),
        *(("nobody speaks", words) for words in playbook.reprompts),
        *(("we need time", words) for words in playbook.fillers),
        ("not understood", playbook.not_understood),
        ("handed to a person", playbook.transfer),
        ("the model failed", playbook.apology),
        ("the time is up", playbook.goodbye),
        ("still nobody speaks", playbook.silence_goodbye),
        ("the call can't go on", playbook.fault_goodbye),
    ]
