"""Whisper through faster-whisper and CTranslate2, as a :class:`~telephony_agent.engines.base.Transcriber`.

``faster_whisper.WhisperModel`` loads the model, its tokenizer and its feature extractor. Its ``transcribe()`` is not
used, because it pads every utterance to 30 s; the inner model is called with a window that follows the utterance
(:mod:`telephony_agent.engines.whisper_window`), greedily, with a cap on the tokens. What comes out must pass the guards
(:mod:`telephony_agent.engines.whisper_guards`); when it doesn't, a model that knows 30 s windows gets a second try at
30 s, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import soxr

from telephony_agent.engines.base import Transcript
from telephony_agent.engines.whisper_guards import Decoded, is_too_quiet, rejection, token_cap
from telephony_agent.engines.whisper_window import (
    FULL,
    STOCK_AUTO,
    WHISPER_RATE,
    WindowRule,
    cut_at_quiet,
    read_rule,
)
from telephony_agent.errors import ModelLoadError, TranscriptionError

Audio = npt.NDArray[np.float32]

_MEL_FRAMES_PER_S = 100
_MEL_DYNAMIC_RANGE = 2.0
"""How far below its peak a log-mel picture of Whisper ends: that is what silence looks like."""
_SHORTEST_S = 0.1


class WhisperTranscriber:
    """One Whisper model for all calls; threads may transcribe at the same time, ``workers`` of them in parallel.

    Args:
        model: a directory with a converted model, or a name on the hub (``base.en``, ``owner/name``).
        window: ``"auto"`` follows the utterance, 30 always shows the encoder 30 s. A model that comes with its own rule
            keeps to that.
        threads: cores for each worker.
        workers: how many utterances are decoded at once.
        compute_type: of CTranslate2; ``int8`` is the fastest on a CPU.

    Raises:
        ModelLoadError: the model can't be loaded; the message names the setting and the fix.
    """

    def __init__(
        self,
        model: str,
        *,
        window: Literal["auto"] | int = "auto",
        threads: int = 1,
        workers: int = 1,
        compute_type: str = "int8",
    ) -> None:
        loaded = _load(model, compute_type=compute_type, cpu_threads=threads, num_workers=workers)
        self._model: Any = loaded.model
        self._features: Any = loaded.feature_extractor
        self._tokenizer: Any = loaded.hf_tokenizer
        try:
            own_rule = read_rule(Path(model))
        except ValueError as error:
            raise ModelLoadError(f"AGENT_STT_MODEL={model!r}: {error}") from error
        self._rule = own_rule or (STOCK_AUTO if window == "auto" else FULL)
        self._second_try = None if own_rule or window != "auto" else FULL
        self._end = self._token("<|endoftext|>")
        self._prompt = [self._token(name) for name in prompt_names(multilingual=self._model.is_multilingual)]

    def warm(self) -> None:
        """Decode a second of noise."""
        noise = np.random.default_rng(0).normal(0.0, 0.01, WHISPER_RATE).astype(np.float32)
        self._decode(self._mel(noise), 1.0, self._rule)

    def transcribe(self, pcm: bytes, sample_rate: int) -> Transcript:
        """Transcribe one utterance of int16 mono PCM; thread-safe.

        Raises:
            TranscriptionError: the library failed.
        """
        if len(pcm) < 2 * _SHORTEST_S * sample_rate or is_too_quiet(pcm, sample_rate):
            return Transcript(text="", rejected="energy")
        try:
            return _join([self._piece(piece) for piece in self._pieces(pcm, sample_rate)])
        except (RuntimeError, ValueError) as error:
            raise TranscriptionError(f"Whisper failed: {error}") from error

    def window_s(self, utterance_s: float) -> float:
        """Return the window that the encoder is shown at the first try for an utterance of this length."""
        return self._rule.window_s(utterance_s)

    def _pieces(self, pcm: bytes, sample_rate: int) -> list[Audio]:
        samples = np.frombuffer(pcm, "<i2", len(pcm) // 2).astype(np.float32) / 32768.0
        audio: Audio = soxr.resample(samples, sample_rate, WHISPER_RATE)
        return cut_at_quiet(audio, self._rule.longest_piece_s)

    def _piece(self, audio: Audio) -> Transcript:
        mel = self._mel(audio)
        utterance_s = len(audio) / WHISPER_RATE
        decoded = self._decode(mel, utterance_s, self._rule)
        rejected = rejection(decoded)
        if rejected and self._second_try:
            decoded = self._decode(mel, utterance_s, self._second_try)
            rejected = rejection(decoded)
        return Transcript(
            text="" if rejected else decoded.text,
            raw_text=decoded.text,
            rejected=rejected,
            no_speech_prob=decoded.no_speech_prob,
            avg_logprob=decoded.avg_logprob,
        )

    def _mel(self, audio: Audio) -> Audio:
        # Never with chunk_length: the extractor would write that to itself, under the feet of other threads.
        mel: Audio = self._features(audio)
        return mel

    def _decode(self, mel: Audio, utterance_s: float, rule: WindowRule) -> Decoded:
        import ctranslate2

        frames = round(rule.window_s(utterance_s) * _MEL_FRAMES_PER_S)
        mel = mel[:, :frames]
        mel = np.pad(mel, ((0, 0), (0, frames - mel.shape[1])), constant_values=mel.max() - _MEL_DYNAMIC_RANGE)
        cap = token_cap(utterance_s)
        # One job: with encode() apart, the queue would let other utterances in between.
        (result,) = self._model.generate(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(mel[None])),
            [self._prompt],
            beam_size=1,
            max_length=2 * cap,  # CTranslate2 writes half of it
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens = result.sequences_ids[0]
        return Decoded(
            text=self._tokenizer.decode([token for token in tokens if token < self._end]).strip(),
            no_speech_prob=float(result.no_speech_prob),
            # The score is a mean without the end token; the reference's thresholds are for the mean with it.
            avg_logprob=float(result.scores[0]) * len(tokens) / (len(tokens) + 1),
            capped=len(tokens) >= cap,
        )

    def _token(self, name: str) -> int:
        token: int | None = self._tokenizer.token_to_id(name)
        if token is None:
            raise ModelLoadError(f"this is no Whisper model: its tokenizer has no {name}")
        return token


def prompt_names(*, multilingual: bool) -> tuple[str, ...]:
    """Name the tokens that ask a checkpoint for plain English text; English-only ones know no language and no task."""
    task = ("<|en|>", "<|transcribe|>") if multilingual else ()
    return ("<|startoftranscript|>", *task, "<|notimestamps|>")


def _join(pieces: Sequence[Transcript]) -> Transcript:
    """Make one transcript of the pieces of an utterance; it is rejected when all of them are."""
    if len(pieces) == 1:
        return pieces[0]
    text = " ".join(piece.text for piece in pieces if piece.text)
    return Transcript(
        text=text,
        raw_text=" ".join(piece.raw_text for piece in pieces if piece.raw_text),
        rejected="" if text else pieces[0].rejected,
        no_speech_prob=max(piece.no_speech_prob for piece in pieces),
        avg_logprob=min(piece.avg_logprob for piece in pieces),
    )


def _load(model: str, **options: Any) -> Any:
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(model, device="auto", **options)
    # What the hub, the file system and CTranslate2 raise has no closer common ancestor.
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelLoadError(
            f"AGENT_STT_MODEL={model!r} can't be loaded ({reason}): fetch it with `telephony-agent models pull`, name "
            "a directory with a CTranslate2 Whisper model, or set AGENT_MODELS=pocket"
        ) from error
