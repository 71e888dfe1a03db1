"""``telephony-agent chat``: the conversation by text, on a terminal; nothing of it is kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from telephony_agent.cli.build import load_playbook, load_tools, warn_of_useless_tools
from telephony_agent.core.events import EndReason
from telephony_agent.engines.base import Responder
from telephony_agent.engines.catalog import model_names
from telephony_agent.live.lanes import Lane
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import TextCall, TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.live.tool_room import Toolbox, ToolRoom
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.moments import Moment
from telephony_agent.sales.outcome import Outcome
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.settings import ModelSet, ModelSettings, Settings
from telephony_agent.telemetry import set_up_logging


def chat(
    say: Annotated[
        list[str] | None,
        typer.Option("--say", metavar="TEXT", help="Say this instead of what is typed; repeat it for more."),
    ] = None,
    playbook: Annotated[
        Path | None, typer.Option("--playbook", metavar="FILE|NAME", help="Another playbook than AGENT_PLAYBOOK's.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Who you are to the agent.")] = "unknown",
    phone: Annotated[
        str, typer.Option("--phone", metavar="E.164", help="Your number, such as +15005550006: it tells your zone.")
    ] = "",
) -> None:
    """Talk with the agent by text, under the same rules as on the phone. An empty line or Ctrl-D hangs up."""
    set_up_logging("WARNING", as_json=False)
    settings = Settings(**({"AGENT_PLAYBOOK": str(playbook)} if playbook is not None else {}))
    lead = Lead(name=name, phone=phone)
    book = load_playbook(settings.call)
    toolbox = load_tools(book)
    console = Console()
    with console.status("loading the model ..."):
        responder = load_responder(settings.model, toolbox)
    lane = Lane("respond")
    tools = ToolRoom(toolbox, deadline_s=settings.call.tool_deadline_s)
    terms = TextTerms(
        responder,
        lane,
        settings.call.llm_deadline_s,
        Phrasebook.shipped(book.language),
        # The pocket model has never seen a note.
        takes_notes=settings.model.models is not ModelSet.POCKET,
        tools=tools,
    )
    try:
        converse(TextDesk(SalesDesk(book), terms), lead, lines(console, say), console)
    finally:
        tools.close()
        lane.close()
        lane.join(1.0)


def load_responder(settings: ModelSettings, toolbox: Toolbox) -> Responder:
    """Load and warm the model that words the replies and may call what is in the toolbox. Blocks for seconds.

    Raises:
        ModelLoadError: it can't be loaded; the message names the setting and the fix.
    """
    from telephony_agent.engines.qwen import QwenResponder

    names = model_names(settings.models.value, llm_model=settings.llm_model)
    responder = QwenResponder(
        names.llm,
        dtype=settings.llm_dtype,
        threads=settings.engine_threads or os.cpu_count() or 1,
        max_new_tokens=settings.llm_max_tokens,
        tools=toolbox.specs,
    )
    responder.warm()
    warn_of_useless_tools(responder, toolbox)
    return responder


def lines(console: Console, said: list[str] | None) -> Iterator[str]:
    """Yield what the caller says: the lines that are given, or else those that are typed until an empty one."""
    if said:
        for line in said:
            console.print(f"> {line}", markup=False, highlight=False)
            yield line
        return
    while True:
        try:
            line = console.input("[bold]>[/] ").strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if not line:
            return
        yield line


def converse(desk: TextDesk, lead: Lead, said: Iterator[str], console: Console) -> None:
    """Hold one conversation on the console, and show what came of it."""
    # The event loop runs for a turn at a time, so that Ctrl-C at the prompt is an ordinary exception.
    with asyncio.Runner() as runner:
        call = runner.run(_started(desk, lead))
        console.print(call.greeting, style="cyan", markup=False, highlight=False)
        for words in said:
            runner.run(_answered(call, words, console))
            if call.over:
                break
        runner.run(_ended(call))
    if call.outcome is not None and call.end_reason is not None:
        console.print(outcome_table(call.outcome, call.end_reason))


def outcome_table(outcome: Outcome, reason: EndReason) -> Table:
    """Return what came of a call, for people."""
    table = Table("outcome", "", show_header=False)
    table.add_row("disposition", outcome.disposition.value)
    table.add_row("ended by", reason.value)
    for name, value in outcome.slots.items():
        table.add_row(name.replace("_", " "), value.in_words() if isinstance(value, Moment) else str(value))
    step = outcome.next_step
    if step is not None:
        table.add_row("next step", f"{step.kind.value} {step.words}")
    table.add_row("disclosed", "yes" if outcome.disclosed else "no")
    table.add_row("opted out", "yes" if outcome.opted_out else "no")
    table.add_row("summary", outcome.summary)
    return table


async def _started(desk: TextDesk, lead: Lead) -> TextCall:
    return desk.start(lead)


async def _answered(call: TextCall, words: str, console: Console) -> None:
    """Show the answer as it is worded."""
    async for phrase in call.take(words):
        console.print(phrase, style="cyan", markup=False, highlight=False, soft_wrap=True, end=" ")
    console.print()


async def _ended(call: TextCall) -> None:
    """End the call, if it hasn't ended, as one that the caller hangs up."""
    call.end(EndReason.CALLER)
