"""``telephony-agent playbook``: validates a playbook and shows what comes of it; lists those that ship."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from telephony_agent.cli.build import read_playbook
from telephony_agent.sales.fixed_words import fixed_words
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbooks import shipped_playbooks
from telephony_agent.sales.questions import Questions
from telephony_agent.sales.sales_phrases import SalesPhrases

app = typer.Typer(no_args_is_help=True, help="Work on playbooks.")


@app.callback()
def root() -> None:
    """Work on playbooks."""


@app.command("list")
def list_shipped() -> None:
    """List the playbooks that ship with the package; AGENT_PLAYBOOK and --playbook take their names."""
    table = Table("name", "company", Column("goal", overflow="fold"))
    for name in shipped_playbooks():
        playbook = read_playbook(Path(name))
        table.add_row(name, playbook.company, playbook.goal or playbook.meeting)
    Console().print(table)


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE|NAME", help="The playbook (YAML), or a shipped one's name.")],
) -> None:
    """Validate a playbook; print what the model will be told, what is asked, and what is spoken as it stands."""
    playbook = read_playbook(file)
    phrases = SalesPhrases.shipped(playbook.language)
    console = Console()
    console.print(Text("What the model will be told\n", style="bold"))
    console.print(playbook.system_prompt(), markup=False, highlight=False, soft_wrap=True)
    for table in (_questions(playbook, phrases), _fixed_words(playbook, phrases), _limits(playbook)):
        console.print()
        console.print(table)


def _questions(playbook: Playbook, phrases: SalesPhrases) -> Table:
    words = Column("words", overflow="fold")
    table = Table("asks for", "type", words, "concludes", title="What is asked, in this order")
    for question in Questions.of(playbook, phrases).ordered:
        name = question.slot.replace("_", " ")
        concludes = ", ".join(f"{answer}: {disposition}" for answer, disposition in question.concludes.items())
        cells = (question.type or "built in", question.ask or "(the model's)", concludes)
        table.add_row(name if question.required else f"{name} (optional)", *map(Text, cells))
    return table


def _fixed_words(playbook: Playbook, phrases: SalesPhrases) -> Table:
    table = Table("when", Column("fixed words", overflow="fold"), title="What is spoken without the model")
    announcements = [
        ("the greeting", playbook.greeting),
        *(("nobody speaks", words) for words in playbook.reprompts),
        *(("we need time", words) for words in playbook.fillers),
        ("not understood", playbook.not_understood),
        ("handed to a person", playbook.transfer),
        ("no person is there", playbook.untaken),
        ("the line broke", playbook.reconnected),
        ("the model failed", playbook.apology),
        ("the time is up", playbook.goodbye),
        ("still nobody speaks", playbook.silence_goodbye),
        ("the call can't go on", playbook.fault_goodbye),
    ]
    rules = [(name.replace("_", " "), words) for name, words in fixed_words(phrases, playbook).items()]
    for when, words in announcements + rules:
        table.add_row(when, Text(words))
    return table


def _limits(playbook: Playbook) -> Table:
    table = Table("", Column("", overflow="fold"), show_header=False, title="What else it may do")
    rows = {
        "calls to action": playbook.calls_to_action,
        "tools": playbook.tools,
        "opt-out phrases": playbook.opt_out_phrases,
    }
    for name, entries in rows.items():
        table.add_row(name, Text(", ".join(entries) or "none"))
    return table
