"""Silero's voice detector on onnxruntime: costs forty times webrtcvad and isn't fooled by noise, tones or music.

The model file comes with faster-whisper, so nothing is downloaded. It listens at 16 kHz, in windows of 512 samples
before which it wants the last 64 again; frames of the telephone's 8 kHz are brought up by a half-band filter, and
windows are filled across frames, so a decision is up to 32 ms old. :class:`SileroModel` is shared by all calls;
:class:`SileroVoiceDetector` holds the state of one.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from telephony_agent.errors import ModelLoadError

Samples = npt.NDArray[np.float32]

SPEECH_PROBABILITY = 0.5

_WINDOW = 512
_CONTEXT = 64
_STATE_SHAPE = (1, 1, 128)
_NO_SPEECH_PROBABILITY = 0.1
_RESET_WINDOWS = 62
"""Two seconds. After long music or ringback a state that was never reset misses the first words."""
_HALF_TAPS = 8


class SileroModel:
    """The network in one onnxruntime session with one thread; safe to use from several.

    Raises:
        ModelLoadError: the file isn't where faster-whisper keeps it, or is of another kind.
    """

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(
            str(_model_file()), sess_options=options, providers=["CPUExecutionProvider"]
        )
        inputs = {given.name: given.shape for given in self._session.get_inputs()}
        if set(inputs) != {"input", "h", "c"} or inputs["input"][-1] != _CONTEXT + _WINDOW:
            raise ModelLoadError(f"AGENT_VAD='silero': this Silero model takes {inputs}; set AGENT_VAD=webrtc")

    def run(self, window: Samples, h: Samples, c: Samples) -> tuple[float, Samples, Samples]:
        """Return the probability of speech in ``window`` (float32[576]) and the two states after it."""
        probability, h, c = self._session.run(None, {"input": window[None], "h": h, "c": c})
        return float(probability.reshape(-1)[0]), h, c


class SileroVoiceDetector:
    """Silero for one call.

    Args:
        model: shared by all calls.
        threshold: the probability from which a window is speech.
    """

    def __init__(self, model: SileroModel, threshold: float = SPEECH_PROBABILITY) -> None:
        self._model = model
        self._threshold = threshold
        self._upsampler = _Upsampler()
        self._waiting = np.zeros(0, np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)
        self._speech = False
        self._quiet_windows = 0
        self._h: Samples = np.zeros(_STATE_SHAPE, np.float32)
        self._c: Samples = np.zeros(_STATE_SHAPE, np.float32)

    def is_speech(self, frame: bytes) -> bool:
        """Judge 20 ms of little-endian int16 PCM at 8 kHz (320 bytes), by the last whole window."""
        samples = np.frombuffer(frame, "<i2").astype(np.float32) / 32768.0
        self._waiting = np.concatenate([self._waiting, self._upsampler.push(samples)])
        while len(self._waiting) >= _WINDOW:
            self._judge(self._waiting[:_WINDOW])
            self._waiting = self._waiting[_WINDOW:]
        return self._speech

    def _judge(self, window: Samples) -> None:
        probability, self._h, self._c = self._model.run(np.concatenate([self._context, window]), self._h, self._c)
        self._context = window[-_CONTEXT:]
        self._speech = probability >= self._threshold
        self._quiet_windows = self._quiet_windows + 1 if probability < _NO_SPEECH_PROBABILITY else 0
        if self._quiet_windows == _RESET_WINDOWS:
            self._h, self._c = np.zeros_like(self._h), np.zeros_like(self._c)
            self._quiet_windows = 0


class _Upsampler:
    """8 to 16 kHz in two microseconds a frame: the samples themselves, and between each two a windowed-sinc mean.

    soxr would hold 60 ms back, which a detector of barge-in can't afford.
    """

    def __init__(self) -> None:
        offsets = np.arange(-_HALF_TAPS, _HALF_TAPS) + 0.5
        kernel = np.sinc(offsets) * np.hamming(2 * _HALF_TAPS)
        self._kernel = (kernel / kernel.sum()).astype(np.float32)
        self._past = np.zeros(2 * _HALF_TAPS - 1, np.float32)

    def push(self, samples: Samples) -> Samples:
        joined = np.concatenate([self._past, samples])
        self._past = joined[len(samples) :]
        between = np.convolve(joined, self._kernel, mode="valid")
        exact = joined[_HALF_TAPS - 1 : _HALF_TAPS - 1 + len(samples)]
        return np.stack([exact, between], axis=1).reshape(-1).astype(np.float32)


def _model_file() -> Path:
    package = importlib.util.find_spec("faster_whisper")  # finds it without importing it
    for folder in package.submodule_search_locations or () if package else ():
        for file in sorted(Path(folder, "assets").glob("silero_vad*.onnx")):
            return file
    raise ModelLoadError("AGENT_VAD='silero' needs the model file in the package faster-whisper: set AGENT_VAD=webrtc")
