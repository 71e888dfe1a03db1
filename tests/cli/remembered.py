"""A memory for the commands: settings that name a folder of the test's, and what is put into it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import Result
from loguru import logger
from typer.testing import CliRunner

from telephony_agent.cli.main import app
from telephony_agent.store import LeadDraft, NewCall, NextStep, Outcome, Store, TurnRecord

T = TypeVar("T")
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
ANNA = "+15005550006"
BEN = "+12125550142"


@contextmanager
def memory_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let the settings name a folder, and nothing else of the developer's own; undo what a command does to the log."""
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name.startswith(("AGENT_", "TWILIO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    handlers, level = logging.root.handlers, logging.root.level
    yield folder
    logger.remove()
    logging.root.handlers, logging.root.level = handlers, level


def run(*arguments: str, typed: str | None = None) -> Result:
    """Run ``telephony-agent`` with arguments; its own errors are raised."""
    return CliRunner().invoke(app, arguments, input=typed, catch_exceptions=False)


def told(*arguments: str) -> str:
    """Return what a command that succeeds says."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def in_store(work: Callable[[Store], Awaitable[T]]) -> T:
    """Do something with the store that the commands find."""

    async def opened() -> T:
        async with Store(Path(".telephony-agent")) as store:
            return await work(store)

    return asyncio.run(opened())


async def lead(store: Store, name: str = "Anna Miller", phone: str = ANNA) -> int:
    """Add a lead and return its number."""
    return (await store.leads.add(LeadDraft(name, phone), NOW)).id


async def call(store: Store, call_id: str = "CA1", number: str = ANNA, *, day: int = 0, summary: str = "Fine.") -> None:
    """Leave a call of a minute in which a meeting was booked."""
    began = NOW + timedelta(days=day)
    await store.calls.begin(NewCall(call_id, "inbound", began, number=number, call_sid=call_id))
    await store.calls.answered(call_id, began)
    await store.calls.put_turn(call_id, TurnRecord(1, transcript="a meeting, please"))
    step = NextStep("meeting", began, "Europe/Berlin")
    ended = began + timedelta(minutes=1)
    outcome = Outcome("meeting_booked", "answered", ended, summary, {"name": "Anna"}, step)
    await store.calls.finish(call_id, outcome)
