"""``telephony-agent serve``: the server, from settings to shutdown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from loguru import logger
from starlette.applications import Starlette

from telephony_agent.carrier.signature import SignatureCheck
from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.cli.build import build_store, call_rules, load_engine_room, load_playbook, turn_judge
from telephony_agent.cli.chores import Chores
from telephony_agent.errors import SettingError, TelephonyAgentError
from telephony_agent.live.engine_room import EngineRoom, render_announcements
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.switchboard import Switchboard, opening
from telephony_agent.live.text_call import TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.live.trace_file import TraceFolder
from telephony_agent.live.watch import Watch
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.playbook import Playbook
from telephony_agent.settings import ModelSet, Settings
from telephony_agent.telemetry import set_up_logging
from telephony_agent.web.app import create_app
from telephony_agent.web.server import PoliteServer, server_config
from telephony_agent.web.site import Site

DRAIN_S = 10.0


def serve() -> None:
    """Answer calls. Settings come from the environment and from .env; .env.example lists them all."""
    settings = Settings()
    set_up_logging(settings.log.log_level.value, as_json=settings.log.log_json)
    # It logs the whole URL of each request, and that of the webhook for outcomes may hold a key.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    server = AgentServer(settings)
    server.run()
    if server.failure is not None:
        raise server.failure


class AgentServer:
    """One server process: listens at once, reports ready when the models are warm."""

    def __init__(self, settings: Settings) -> None:
        """Check what can be checked before anything is loaded.

        Raises:
            SettingError: no auth token; a wrong URL.
            PlaybookError: the playbook can't be used.
        """
        self.failure: TelephonyAgentError | None = None
        self._settings = settings
        self._playbook = load_playbook(settings.call)
        self._site = build_site(settings)
        self._store = build_store(settings)
        self._chores = Chores(self._store, settings.outcome, settings.store)
        self._site.store = self._store
        trace_dir = settings.log.trace_dir
        self._traces = TraceFolder(trace_dir) if trace_dir is not None else None
        self._uvicorn = PoliteServer(
            self._drain,
            server_config(create_app(self._site, self._lifespan), settings.server.host, settings.server.port),
        )

    def run(self) -> None:
        """Serve until a signal comes or the models can't be loaded (then ``failure`` is set)."""
        self._uvicorn.run()

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        loading = asyncio.create_task(self._load(), name="load-models")
        try:
            yield
        finally:
            room = await loading
            await self._chores.close()
            if self._store.is_open:
                await self._store.close()
            if room is not None:
                await asyncio.to_thread(room.close)
            if self._traces is not None:
                await asyncio.to_thread(self._traces.close)

    @property
    def _takes_notes(self) -> bool:
        # The pocket model has never seen a note.
        return self._settings.model.models is not ModelSet.POCKET

    async def _drain(self) -> None:
        if self._site.text_desk is not None:
            self._site.text_desk.close()
        if self._site.switchboard is not None:
            await self._site.switchboard.drain(DRAIN_S)

    async def _load(self) -> EngineRoom | None:
        """Load and warm everything off the event loop, then open the switchboard."""
        settings = self._settings
        try:
            await self._store.open()
            for call_id in await self._store.recover(datetime.now(UTC)):
                logger.bind(call_sid=call_id).warning("A call of a server that died was concluded")
            self._chores.start()
            room = await asyncio.to_thread(load_engine_room, settings.model, settings.call, self._site.metrics)
            announcements = await asyncio.to_thread(
                render_announcements,
                self._playbook,
                room.engines.synthesizer,
                transfers=bool(self._site.transfer_number),
            )
            read_ahead = opening(self._playbook.system_prompt(), announcements)
            # Read once for all: the sessions of all calls begin with this memory.
            await asyncio.to_thread(room.rehearse, read_ahead)
            judge = await asyncio.to_thread(
                turn_judge, settings.call, self._playbook.language, room.engines.responder, read_ahead
            )
        except TelephonyAgentError as error:
            self.failure = error
            self._uvicorn.should_exit = True
            return None
        self._site.switchboard = Switchboard(
            room,
            announcements,
            self._playbook.system_prompt(),
            Phrasebook.shipped(self._playbook.language),
            call_rules(settings.call, judge),
            max_calls=settings.server.max_calls,
            desk=SalesDesk(self._playbook, can_transfer=bool(self._site.transfer_number)),
            takes_notes=self._takes_notes,
            watch=Watch(self._site.metrics, self._traces, settings.log.log_transcripts, self._store.recorder),
        )
        self._site.text_desk = self._text_desk(room)
        self._announce(self._playbook)
        return room

    def _text_desk(self, room: EngineRoom) -> TextDesk:
        terms = TextTerms(
            room.engines.responder,
            room.responding,
            room.deadlines.respond_s,
            Phrasebook.shipped(self._playbook.language),
            takes_notes=self._takes_notes,
        )
        return TextDesk(SalesDesk(self._playbook), terms, recorder=self._store.recorder)

    def _announce(self, playbook: Playbook) -> None:
        if self._settings.model.models is ModelSet.POCKET:
            logger.warning("Pocket models know only the espeak voice and the default playbook; they are for trials")
        logger.bind(url=self._site.public_url, models=self._settings.model.models.value, company=playbook.company).info(
            "Ready for calls"
        )


def build_site(settings: Settings) -> Site:
    """Build the public face of the server.

    Raises:
        SettingError: nothing to check signatures with, and the check isn't switched off.
    """
    server = settings.server
    tokens = settings.twilio.auth_tokens
    if server.allow_unsigned:
        logger.warning("Signatures are not checked (AGENT_ALLOW_UNSIGNED)")
    elif not tokens:
        raise SettingError("TWILIO_AUTH_TOKEN='': allowed: the auth token of your Twilio account, which signs webhooks")
    if not server.public_url:
        logger.bind(url=server.base_url).warning("AGENT_PUBLIC_URL is not set; only this machine can place calls")
    return Site(
        public_url=server.base_url,
        signatures=None if server.allow_unsigned else SignatureCheck(server.base_url, tokens),
        documents=TwimlDocuments(),
        api_token=server.api_token.get_secret_value(),
        transfer_number=server.transfer_number,
    )
