"""The real server on a real loopback socket, in a thread of the test process, with whatever engines a test gives it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

from telephony_agent.carrier.signature import SignatureCheck
from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.core.call_terms import CallRules
from telephony_agent.engines.scripted import (
    LevelVoiceDetector,
    ScriptedResponder,
    ScriptedSynthesizer,
    ScriptedTranscriber,
)
from telephony_agent.live.announcing import render_announcements
from telephony_agent.live.call import CallTerms
from telephony_agent.live.engine_room import Deadlines, EngineRoom, Engines
from telephony_agent.live.playbook_shelf import PlaybookShelf
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.switchboard import Switchboard
from telephony_agent.live.trace_file import TraceFolder
from telephony_agent.live.watch import Watch
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.playbook import Playbook
from telephony_agent.store import Store
from telephony_agent.web.app import create_app
from telephony_agent.web.server import server_config
from telephony_agent.web.site import Site

PUBLIC_URL = "https://agent.example"
AUTH_TOKEN = "an-auth-token-of-the-tests"  # made up, as it says
API_TOKEN = "an-api-token-of-the-tests"
PLAYBOOK = Playbook.parse(
    """
persona: Ava
company: Bluefinch
product: Bluefinch Booking
pitch: Your customers book online.
meeting: a demo
question: How many people work with you?
plans: [{name: starter, price: nineteen dollars a month}]
"""
)


@dataclass
class Agent:
    """A running server."""

    url: str
    room: EngineRoom
    server: uvicorn.Server
    loop: asyncio.AbstractEventLoop
    site: Site
    terms: CallTerms

    def account(self, call_sid: str) -> dict[str, Any]:
        """Ask the API what it knows of a call."""
        answer = httpx.get(
            f"{self.url}/api/v1/calls/{call_sid}", headers={"Authorization": f"Bearer {API_TOKEN}"}, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        account: dict[str, Any] = answer.json()
        return account


@dataclass
class Parts:
    """What a test may replace."""

    transcriber: Any = field(default_factory=ScriptedTranscriber)
    responder: Any = field(default_factory=ScriptedResponder)
    synthesizer: Any = field(default_factory=ScriptedSynthesizer)
    new_detector: Callable[[], Any] = LevelVoiceDetector
    deadlines: Deadlines = field(default_factory=Deadlines)
    rules: CallRules = field(default_factory=CallRules)
    playbook: Playbook = PLAYBOOK
    max_calls: int = 2
    trace_dir: Path | None = None
    data_dir: Path | None = None
    """Where calls are remembered, and guided as sales calls are; None: neither."""
    record: bool = False
    delivers: bool = False
    """Whether the owner's webhook is owed what happens."""
    dials: bool = False
    """Whether people are called."""
    transfer_number: str = ""
    auth_tokens: tuple[str, ...] = (AUTH_TOKEN,)


@contextmanager
def running(parts: Parts | None = None) -> Iterator[Agent]:
    """Serve until the block is left; everything is closed and joined then."""
    parts = parts or Parts()
    site = Site(
        PUBLIC_URL,
        SignatureCheck(PUBLIC_URL, parts.auth_tokens),
        TwimlDocuments(),
        api_token=API_TOKEN,
        transfer_number=parts.transfer_number,
    )
    started = threading.Event()
    made: list[Any] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        engines = Engines(parts.transcriber, parts.responder, parts.synthesizer, parts.new_detector)
        await asyncio.to_thread(engines.warm)
        room = EngineRoom(engines, parts.deadlines, metrics=site.metrics)
        traces = TraceFolder(parts.trace_dir) if parts.trace_dir else None
        desk = SalesDesk(parts.playbook, can_transfer=bool(parts.transfer_number), recorded=parts.record)
        announcements = await asyncio.to_thread(render_announcements, desk, parts.synthesizer, dials=parts.dials)
        store = Store(parts.data_dir, delivers=parts.delivers) if parts.data_dir is not None else None
        if store is not None:
            await store.open()
            site.store = store
            site.playbooks = PlaybookShelf(desk, store)
            await site.playbooks.keep_own(datetime.now(UTC))
        terms = CallTerms(
            announcements,
            Phrasebook.shipped(),
            parts.playbook.system_prompt(),
            parts.rules,
            desk if store is not None else None,
        )
        site.switchboard = Switchboard(
            room,
            terms,
            max_calls=parts.max_calls,
            watch=Watch(
                site.metrics,
                traces,
                recorder=store.recorder if store is not None else None,
                recordings=store.recordings if store is not None and parts.record else None,
            ),
        )
        made.extend([room, asyncio.get_running_loop(), terms])
        try:
            yield
        finally:
            await asyncio.to_thread(room.close)
            if traces is not None:
                await asyncio.to_thread(traces.close)
            if store is not None:
                await store.close()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            started.set()

    server = Server(server_config(create_app(site, lifespan), "127.0.0.1", 0))
    failure: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except BaseException as error:
            failure.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="agent-under-test", daemon=True)
    thread.start()
    assert started.wait(60), "the server did not start"
    try:
        assert not failure, failure
        room, loop, terms = made
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Agent(f"http://127.0.0.1:{port}", room, server, loop, site, terms)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
