"""Builds the parts of a server from its settings: the one place where settings meet engines."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from loguru import logger

from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.completeness import ModelJudge, RuleJudge, SilenceJudge, TurnJudge, Waits
from telephony_agent.core.endpointing import EndpointingRules
from telephony_agent.engines.base import Message, Responder, VoiceDetector
from telephony_agent.engines.catalog import model_names
from telephony_agent.errors import PlaybookError
from telephony_agent.live.engine_room import Deadlines, EngineRoom, Engines
from telephony_agent.sales.phrasebook import SentenceEnds
from telephony_agent.sales.playbook import Playbook
from telephony_agent.settings import CallSettings, ModelSettings, Settings, TurnEnd, VadKind
from telephony_agent.store import Store
from telephony_agent.telemetry import Metrics

CONFIRMING_PROBABILITY = 0.3
"""Where Silero only confirms, it may be less sure."""


def load_playbook(settings: CallSettings) -> Playbook:
    """Read the playbook that a setting names, or the one that ships with the package.

    Raises:
        PlaybookError: it can't be read, or something in it is wrong.
    """
    if settings.playbook is None:
        return Playbook.parse(
            (resources.files("telephony_agent.sales") / "default_playbook.yaml").read_text(encoding="utf-8")
        )
    try:
        return read_playbook(settings.playbook)
    except PlaybookError as error:
        raise PlaybookError(f"AGENT_PLAYBOOK={error}") from error


def read_playbook(file: Path) -> Playbook:
    """Read a playbook of the user's.

    Raises:
        PlaybookError: it can't be read, or something in it is wrong; the message begins with the file.
    """
    try:
        return Playbook.parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PlaybookError(f"{str(file)!r}: can't be read: {error}") from error
    except PlaybookError as error:
        raise PlaybookError(f"{str(file)!r}: {error}") from error


def build_store(settings: Settings) -> Store:
    """Build the store that the settings name; whoever uses it opens it.

    Raises:
        SettingError: the database's URL is not usable.
    """
    return Store(
        settings.store.data_dir,
        settings.store.database_url.get_secret_value(),
        delivers=bool(settings.outcome.webhook.get_secret_value()),
    )


def load_engine_room(settings: ModelSettings, call: CallSettings, metrics: Metrics | None = None) -> EngineRoom:
    """Load and warm the engines. Blocks for seconds.

    Raises:
        ModelLoadError: a model can't be loaded; the message names the setting and the fix.
    """
    from telephony_agent.engines.pyttsx3_speech import Pyttsx3Synthesizer
    from telephony_agent.engines.qwen import QwenResponder
    from telephony_agent.engines.whisper import WhisperTranscriber

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
        ),
        synthesizer=Pyttsx3Synthesizer(
            settings.tts_voice, rate=settings.tts_rate, volume=settings.tts_volume, deadline_s=call.tts_deadline_s
        ),
        new_detector=_detectors(settings.vad),
    )
    engines.warm()
    deadlines = Deadlines(call.stt_deadline_s, call.llm_deadline_s, call.tts_deadline_s)
    return EngineRoom(engines, deadlines, transcriber_workers=transcriber_workers, metrics=metrics)


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
