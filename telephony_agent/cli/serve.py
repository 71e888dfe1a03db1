"""``telephony-agent serve``: the server, from settings to shutdown."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer
from loguru import logger
from starlette.applications import Starlette

from telephony_agent.audio import SAMPLE_RATE
from telephony_agent.carrier.signature import SignatureCheck
from telephony_agent.carrier.twilio_rest import TwilioCarrier
from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.cli.build import (
    build_store,
    call_rules,
    dial_terms,
    load_engine_room,
    load_playbook,
    load_tools,
    turn_judge,
)
from telephony_agent.cli.chores import Chores
from telephony_agent.cli.identity import server_identity
from telephony_agent.cli.setting_names import misspelt, names_given
from telephony_agent.cli.tunnel import tunnelled
from telephony_agent.cli.workers import Workers, listening
from telephony_agent.core.call_terms import CallRules
from telephony_agent.errors import SettingError, TelephonyAgentError
from telephony_agent.live.announcing import render_announcements
from telephony_agent.live.call import CallTerms
from telephony_agent.live.campaign import CampaignDesk
from telephony_agent.live.dialler import Dialler
from telephony_agent.live.engine_room import EngineRoom
from telephony_agent.live.last_words import LastWords
from telephony_agent.live.playbook_shelf import PlaybookShelf, TermsShelf
from telephony_agent.live.promptness import favour_event_loop, spare_what_stays
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.switchboard import GOODBYE_S, Switchboard
from telephony_agent.live.text_call import TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.live.tool_room import Toolbox
from telephony_agent.live.trace_file import TraceFolder
from telephony_agent.live.voice_chat import VoiceTerms
from telephony_agent.live.watch import Watch
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.playbook import Playbook
from telephony_agent.settings import CallSettings, ModelSet, ModelSettings, Settings
from telephony_agent.store import StoreUnavailable
from telephony_agent.telemetry import Metrics, set_up_logging
from telephony_agent.web.app import create_app
from telephony_agent.web.server import PoliteServer, server_config
from telephony_agent.web.siblings import MOST_WORKERS, Siblings, Worker
from telephony_agent.web.site import Site

LoadRoom = Callable[[ModelSettings, CallSettings, Metrics, Toolbox], EngineRoom]


def serve(
    tunnel: Annotated[
        bool, typer.Option("--tunnel", help="Start ngrok, and be reached at its address in this run.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=MOST_WORKERS, help="Processes that share the port, each with its own models.")
    ] = 1,
) -> None:
    """Answer calls. Settings come from the environment and from .env; .env.example lists them all."""
    settings = Settings()
    _set_up_logging(settings)
    with tunnelled(settings) if tunnel else nullcontext(settings) as reached:
        if workers > 1:
            Workers(reached, workers, _work).run()
        else:
            # Before the models: who has to choose another port needn't wait for them.
            with listening(reached.server) as listener:
                _serve(AgentServer(reached, listener=listener))


def _work(settings: Settings, worker: Worker, listener: socket.socket) -> None:
    """Be one of several workers."""
    _set_up_logging(settings)
    _serve(AgentServer(settings, worker=worker, listener=listener))


def _serve(server: AgentServer) -> None:
    server.run()
    if server.failure is not None:
        raise server.failure


def _set_up_logging(settings: Settings) -> None:
    set_up_logging(settings.log.log_level.value, as_json=settings.log.log_json)
    for sentence in misspelt(names_given()):
        logger.warning(sentence)
    # It logs the whole URL of each request, and that of the webhook for outcomes may hold a key.
    logging.getLogger("httpx").setLevel(logging.WARNING)


class AgentServer:
    """One server process: listens at once, reports ready when the models are warm."""

    def __init__(
        self,
        settings: Settings,
        load_room: LoadRoom = load_engine_room,
        *,
        worker: Worker | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        """Check what can be checked before anything is loaded.

        ``load_room`` makes the engines; a bench of calls has scripted ones. ``worker`` says which of several this one
        is, and ``listener`` is the open port, which they share; without one it is opened last.

        Raises:
            SettingError: no auth token; a wrong URL; a data folder that can't be written.
            PlaybookError: the playbook, or a tool that it names, can't be used.
        """
        self.failure: TelephonyAgentError | None = None
        self._load_room = load_room
        self._settings = settings
        self._playbook = load_playbook(settings.call)
        self._toolbox = load_tools(self._playbook)
        self._site = build_site(settings)
        self._desk = SalesDesk(
            self._playbook, can_transfer=bool(self._site.transfer_number), recorded=settings.store.record
        )
        self._store = build_store(settings, worker)
        self._playbooks = self._site.playbooks = PlaybookShelf(self._desk, self._store)
        self._dial_terms = dial_terms(settings)
        self._carrier = (
            TwilioCarrier(settings.twilio, settings.server.twilio_api_url) if self._dial_terms is not None else None
        )
        self._chores = Chores(self._store, settings.outcome, settings.store)
        self._worker = worker
        self._sockets = [listener] if listener is not None else None
        if worker is not None and listener is not None:
            self._sockets = [listener, worker.listener()]
        self._site.siblings = Siblings(worker) if worker is not None else None
        self._site.store = self._store
        self._site.identity = server_identity(settings.store.data_dir, settings.server.port)
        trace_dir = settings.log.trace_dir
        self._traces = TraceFolder(trace_dir) if trace_dir is not None else None
        self._uvicorn = PoliteServer(
            self._drain,
            server_config(create_app(self._site, self._lifespan), settings.server.host, settings.server.port),
        )

    def run(self) -> None:
        """Serve until a signal comes or the models can't be loaded (then ``failure`` is set)."""
        favour_event_loop()
        self._uvicorn.run(self._sockets)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        loading = asyncio.create_task(self._load(), name="load-models")
        try:
            yield
        finally:
            room = await loading
            if self._site.campaigns is not None:
                await self._site.campaigns.close()
            if self._carrier is not None:
                await self._carrier.aclose()
            await self._chores.close()
            if self._site.siblings is not None:
                await self._site.siblings.aclose()
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

    @property
    def _is_first(self) -> bool:
        """Whether this process does what is done once a server."""
        return self._worker is None or self._worker.is_first

    async def _drain(self) -> None:
        if self._site.campaigns is not None:
            await self._site.campaigns.close()
        if self._site.dialler is not None:
            await self._site.dialler.close()
        if self._site.text_desk is not None:
            self._site.text_desk.close()
        if self._site.switchboard is not None:
            await self._site.switchboard.drain(self._settings.server.drain_s)
        if self._site.siblings is not None:
            await self._site.siblings.drain(self._settings.server.drain_s + GOODBYE_S)

    async def _load(self) -> EngineRoom | None:
        """Load and warm everything off the event loop, then open the switchboard."""
        settings = self._settings
        try:
            await self._store.open()
            await self._playbooks.keep_own(datetime.now(UTC))
            last_words = LastWords(self._playbooks, self._carrier)
            for call_id in await self._store.recover(datetime.now(UTC), last_words.retell):
                logger.bind(call_sid=call_id).warning("A call of a server that died was concluded")
            if self._is_first:
                self._chores.start()
            room = await asyncio.to_thread(
                self._load_room, settings.model, settings.call, self._site.metrics, self._toolbox
            )
            announcements = await asyncio.to_thread(
                render_announcements, self._desk, room.engines.synthesizer, dials=self._dial_terms is not None
            )
            terms = CallTerms(
                announcements,
                Phrasebook.shipped(self._playbook.language).protecting(self._desk.recording_notice),
                self._playbook.system_prompt(),
                CallRules(),
                self._desk,
            )
            # Read once for all: the sessions of all calls begin with this memory.
            await asyncio.to_thread(room.rehearse, terms.opening)
            judge = await asyncio.to_thread(
                turn_judge, settings.call, self._playbook.language, room.engines.responder, terms.opening
            )
            terms = replace(terms, rules=call_rules(settings.call, judge))
        except TelephonyAgentError as error:
            self.failure = error
            self._uvicorn.should_exit = True
            return None
        self._site.switchboard = Switchboard(
            room,
            terms,
            max_calls=settings.server.max_calls,
            takes_notes=self._takes_notes,
            watch=Watch(
                self._site.metrics,
                self._traces,
                settings.log.log_transcripts,
                self._store.recorder,
                self._store.recordings if settings.store.record else None,
            ),
        )
        if self._carrier is not None and self._dial_terms is not None:
            self._site.dialler = Dialler(
                self._carrier,
                self._store,
                self._site.switchboard,
                self._dial_terms,
                self._site.url,
                playbooks=TermsShelf(room, terms, self._playbooks, dials=True),
            )
            if self._is_first:
                self._site.campaigns = CampaignDesk(self._site.dialler, self._store, self._dial_terms.policy)
        self._site.text_desk = self._text_desk(room)
        spare_what_stays()
        self._announce(self._playbook)
        if self._site.campaigns is not None:
            try:
                await self._site.campaigns.start()
            except StoreUnavailable as error:
                logger.bind(error=str(error)).error("Campaigns wait for the next start of the server")
        return room

    def _text_desk(self, room: EngineRoom) -> TextDesk:
        terms = TextTerms(
            room.engines.responder,
            room.responding,
            room.deadlines.respond_s,
            Phrasebook.shipped(self._playbook.language),
            takes_notes=self._takes_notes,
            tools=room.tools,
        )
        # The pocket model has only ever heard telephones.
        voice = VoiceTerms(room, hears_hz=SAMPLE_RATE if self._settings.model.models is ModelSet.POCKET else 0)
        return TextDesk(SalesDesk(self._playbook), terms, recorder=self._store.recorder, voice=voice)

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
