"""Builds the parts of a server from its settings: the one place where settings meet engines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import time
from pathlib import Path

from loguru import logger

from telephony_agent.carrier.carrier import MachineDetection
from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.completeness import ModelJudge, RuleJudge, SilenceJudge, TurnJudge, Waits
from telephony_agent.core.endpointing import EndpointingRules
from telephony_agent.engines.base import Message, Responder, VoiceDetector
from telephony_agent.engines.catalog import model_names
from telephony_agent.errors import PlaybookError
from telephony_agent.live.dialler import DialTerms
from telephony_agent.live.engine_room import Deadlines, EngineRoom, Engines
from telephony_agent.live.tool_room import Toolbox, ToolRoom
from telephony_agent.sales.compliance import DialPolicy
from telephony_agent.sales.lead import ConsentBasis
from telephony_agent.sales.phrasebook import SentenceEnds
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbooks import DEFAULT, shipped_playbooks, shipped_text
from telephony_agent.settings import CallSettings, ModelSettings, Settings, TurnEnd, VadKind
from telephony_agent.store import Store
from telephony_agent.telemetry import Metrics
from telephony_agent.web.siblings import Worker, former_workers, worker_name

LAST_WORDS_S = 60
"""How much longer than our own limit the carrier lets a call last: it is there for when we fail."""
CONFIRMING_PROBABILITY = 0.3
"""Where Silero only confirms, it may be less sure."""


def load_playbook(settings: CallSettings) -> Playbook:
    """Read the playbook that a setting names, or the one that ships with the package.

    Raises:
        PlaybookError: it can't be read, or something in it is wrong.
    """
    if settings.playbook is None:
        return Playbook.parse(shipped_text(DEFAULT))
    try:
        return read_playbook(settings.playbook)
    except PlaybookError as error:
        raise PlaybookError(f"AGENT_PLAYBOOK={error}") from error


def read_playbook(file: Path) -> Playbook:
    """Read a playbook of the user's, or a shipped one by its name.

    Raises:
        PlaybookError: it can't be read, or something in it is wrong; the message begins with the file.
    """
    text = _source_of(file)
    try:
        return Playbook.parse(text)
    except PlaybookError as error:
        raise PlaybookError(f"{str(file)!r}: {error}") from error


def playbook_text(file: Path) -> str:
    """Return the YAML of a playbook of the user's, or of a shipped one by its name, once it is known to be usable.

    Raises:
        PlaybookError: it can't be read, or something in it is wrong; the message begins with the file.
    """
    read_playbook(file)
    return _source_of(file)


def _source_of(file: Path) -> str:
    """Return the YAML of a playbook of the user's, or of a shipped one by its name, as it stands there.

    Raises:
        PlaybookError: it can't be read; the message begins with the file.
    """
    try:
        name = str(file)
        return shipped_text(name) if name in shipped_playbooks() else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        shipped = ", ".join(shipped_playbooks())
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise PlaybookError(f"{str(file)!r}: can't be read: {why}; write a file, or one of {shipped}") from error


def dial_terms(settings: Settings) -> DialTerms | None:
    """Return how calls are placed; None where no number of ours is set to place them from."""
    dial = settings.dial
    caller_id = dial.caller_id or settings.twilio.phone_number
    if not (caller_id and settings.twilio.account_sid and settings.twilio.auth_tokens):
        return None
    return DialTerms(
        policy=DialPolicy(
            opens=time(dial.call_opens),
            closes=time(dial.call_closes),
            attempts_per_day=dial.attempts_per_day,
            countries=frozenset(dial.allowed_countries),
            consents=frozenset(map(ConsentBasis, dial.allowed_consents)),
        ),
        caller_id=caller_id,
        daily_cap=dial.daily_cap,
        ring_timeout_s=dial.ring_timeout_s,
        time_limit_s=round(settings.call.max_call_s) + LAST_WORDS_S,
        detection=MachineDetection.END if dial.amd.asks_carrier else MachineDetection.OFF,
        listens=dial.amd.listens,
    )


def build_store(settings: Settings, worker: Worker | None = None) -> Store:
    """Build the store that the settings name, for a whole server or one of its workers; whoever uses it opens it.

    The first worker and a lone server see to what workers left behind that there were more of.

    Raises:
        SettingError: the database's URL is not usable.
    """
    return Store(
        settings.store.data_dir,
        settings.store.database_url.get_secret_value(),
        server=worker.name if worker is not None else worker_name(0),
        inherits=worker.predecessors if worker is not None else former_workers(1),
        has_siblings=worker is not None,
        delivers=bool(settings.outcome.webhook.get_secret_value()),
    )


def load_tools(playbook: Playbook) -> Toolbox:
    """Import the tools that a playbook names; modules in the current directory are found as well.

    Raises:
        PlaybookError: one can't be imported, or can't be a tool.
    """
    here = str(Path.cwd())
    if playbook.tools and here not in sys.path:
        sys.path.append(here)
    return Toolbox.load(playbook.tools)


def warn_of_useless_tools(responder: Responder, toolbox: Toolbox) -> None:
    """Log that a playbook has tools and the model can't use any."""
    if toolbox.specs and not responder.takes_tools:
        logger.warning("The language model takes no tools; those of the playbook are not offered")


def load_engine_room(
    settings: ModelSettings, call: CallSettings, metrics: Metrics | None = None, toolbox: Toolbox | None = None
) -> EngineRoom:
    """Load and warm the engines; the model may call what is in the toolbox. Blocks for seconds.

    Raises:
        ModelLoadError: a model can't be loaded; the message names the setting and the fix.
    """
    from telephony_agent.engines.pyttsx3_speech import Pyttsx3Synthesizer
    from telephony_agent.engines.qwen import QwenResponder
    from telephony_agent.engines.whisper import WhisperTranscriber

    toolbox = toolbox or Toolbox()
    names = model_names(settings.models.value, stt_model=settings.stt_model, llm_model=settings.llm_model)
    responder_threads, transcriber_workers = share_cores(settings.engine_threads or os.cpu_count() or 1)
    engines = Engines(
        transcriber=WhisperTranscriber(
            names.stt, window=30 if settings.stt_window == "30" else "auto", threads=1, workers=transcriber_workers
        ),
        responder=QwenResponder(
            names.llm,
            dtype=settings.llm_dtype,
            threads=responder_threads,
            max_new_tokens=settings.llm_max_tokens,
            tools=toolbox.specs,
        ),
        synthesizer=Pyttsx3Synthesizer(
            settings.tts_voice, rate=settings.tts_rate, volume=settings.tts_volume, deadline_s=call.tts_deadline_s
        ),
        new_detector=_detectors(settings.vad),
    )
    engines.warm()
    warn_of_useless_tools(engines.responder, toolbox)
    return EngineRoom(
        engines,
        Deadlines(call.stt_deadline_s, call.llm_deadline_s, call.tts_deadline_s),
        transcriber_workers=transcriber_workers,
        metrics=metrics,
        tools=ToolRoom(toolbox, deadline_s=call.tool_deadline_s),
    )


def share_cores(cores: int) -> tuple[int, int]:
    """Return (threads of the responder, workers of the transcriber), in sum no more than the cores.

    Measured: on two cores 1 + 1 beats 2 + 1 for both, and transcriber workers of one thread beat one worker of many.
    The synthesizer's share is too small to count.
    """
    workers = max(1, min(4, cores // 2))
    return max(1, cores - workers), workers


def call_rules(settings: CallSettings, judge: TurnJudge) -> CallRules:
    """Return the numbers of a call as the settings have them."""
    return CallRules(
        endpointing=EndpointingRules(hangover_ms=settings.endpoint_ms),
        judge=judge,
        reprompt_after_s=settings.reprompt_after_s,
        max_call_s=settings.max_call_s,
    )


def turn_judge(settings: CallSettings, language: str, responder: Responder, read_ahead: Sequence[Message]) -> TurnJudge:
    """Return the judge that the settings name. A model is tried first, and is used only if it can tell. Blocks.

    Args:
        language: of the callers; it says by which sentences the model is tried.
        read_ahead: how every conversation begins.

    Raises:
        PlaybookError: there are no sentences in this language.
        ResponseError: the model failed.
    """
    waits = Waits.around(settings.endpoint_ms)
    match settings.turn_end:
        case TurnEnd.SILENCE:
            return SilenceJudge(settings.endpoint_ms)
        case TurnEnd.WORDS:
            return RuleJudge(waits)
        case TurnEnd.MODEL:
            session = responder.session()

            def ended(text: str) -> float:
                return session.ended([*read_ahead, Message(role="user", content=text)], lambda: False)

            sentences = SentenceEnds.shipped(language)
            complete = [ended(text) for text in sentences.complete]
            incomplete = [ended(text) for text in sentences.incomplete]
            session.close()
            judge = ModelJudge.tried(complete, incomplete, waits)
            if judge is None:
                logger.warning(
                    "The language model can't tell whether a caller is done; rules over the words do instead"
                )
            return judge or RuleJudge(waits)


def _detectors(kind: VadKind) -> Callable[[], VoiceDetector]:
    from telephony_agent.engines.webrtc_voice import WebrtcVoiceDetector

    if kind is VadKind.WEBRTC:
        return WebrtcVoiceDetector
    from telephony_agent.engines.silero_voice import SileroModel, SileroVoiceDetector

    model = SileroModel()
    if kind is VadKind.SILERO:
        return lambda: SileroVoiceDetector(model)
    from telephony_agent.engines.confirmed_voice import ConfirmedVoiceDetector

    return lambda: ConfirmedVoiceDetector(WebrtcVoiceDetector(), SileroVoiceDetector(model, CONFIRMING_PROBABILITY))
