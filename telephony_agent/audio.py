"""Telephone audio: mu-law and PCM16, 20 ms frames, levels, and the one band-limited resampler.

PCM is little-endian int16 mono everywhere. A *frame* is 20 ms at 8 kHz: 160 mu-law bytes, 320 PCM bytes.
``audioop`` does what it is fastest at (mu-law, levels: 4 to 28 times numpy at this size); it never resamples, because
``audioop.ratecv`` (and pydub, which calls it) folds everything above 4 kHz back into the telephone band.
"""

from __future__ import annotations

import audioop
import math

import numpy as np
import numpy.typing as npt
import soxr

SAMPLE_RATE = 8000
FRAME_MS = 20
FRAME_SAMPLES = SAMPLE_RATE * FRAME_MS // 1000
BYTES_PER_MS = SAMPLE_RATE // 1000
"""Mu-law bytes in one millisecond."""
MULAW_SILENCE = b"\xff" * FRAME_SAMPLES
SILENCE_DBOV = -96.0

_SILENT_BELOW = 180
"""RMS of a 5 ms block of synthesised speech under which nothing is heard (about -45 dBov)."""
_BLOCK = SAMPLE_RATE * 5 // 1000
_PEAK = 29_000
"""Highest sample that ``to_telephone`` emits: below mu-law's top code, so nothing sounds clipped."""


def decode_mulaw(payload: bytes) -> bytes:
    """Decode mu-law bytes to PCM16, two bytes a sample."""
    return audioop.ulaw2lin(payload, 2)


def encode_mulaw(pcm: bytes) -> bytes:
    """Encode PCM16 to mu-law, one byte a sample."""
    return audioop.lin2ulaw(pcm, 2)


def rms(pcm: bytes) -> int:
    """Return the root mean square of PCM16, rounded down."""
    return audioop.rms(pcm, 2)


def level_dbov(pcm: bytes) -> float:
    """Return the RMS level of PCM16 in dB relative to full scale; ``SILENCE_DBOV`` for digital silence."""
    amplitude = rms(pcm)
    return 20.0 * math.log10(amplitude / 32768.0) if amplitude else SILENCE_DBOV


class Resampler:
    """Resample one stream of PCM16; keeps its state between pushes, so block edges are inaudible.

    It holds audio back (about 60 ms at high quality) until ``flush``. One instance serves one stream, once.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16", quality="HQ")

    def push(self, pcm: bytes) -> bytes:
        """Feed PCM16 at ``from_rate``; return what is ready at ``to_rate``, which may be nothing."""
        return self._run(pcm, last=False)

    def flush(self) -> bytes:
        """Return the rest and end the stream."""
        return self._run(b"", last=True)

    def _run(self, pcm: bytes, *, last: bool) -> bytes:
        out: npt.NDArray[np.int16] = self._stream.resample_chunk(np.frombuffer(pcm, dtype="<i2"), last=last)
        return out.astype("<i2", copy=False).tobytes()


def to_telephone(
    pcm: bytes, sample_rate: int, *, target_dbov: float = -23.0, head_ms: int = 20, tail_ms: int = 30
) -> bytes:
    """Make one synthesised phrase fit for the line: mu-law bytes at 8 kHz, a whole number of frames.

    Band-limits and resamples, trims the silence that engines put around speech to ``head_ms`` and ``tail_ms`` (the
    cheapest latency gain there is), brings the active speech to ``target_dbov`` without clipping, and fades the two
    edges so that joins don't click. Returns ``b""`` when nothing audible is in it.
    """
    resampler = Resampler(sample_rate, SAMPLE_RATE)
    samples = np.frombuffer(resampler.push(pcm) + resampler.flush(), dtype="<i2").astype(np.float32)
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    loudness = np.sqrt((blocks**2).mean(axis=1)) if len(blocks) else np.zeros(0, np.float32)
    loud = np.flatnonzero(loudness > _SILENT_BELOW)
    if not len(loud):
        return b""
    start = max(0, int(loud[0]) * _BLOCK - head_ms * BYTES_PER_MS)
    end = min(len(samples), (int(loud[-1]) + 1) * _BLOCK + tail_ms * BYTES_PER_MS)
    active = float(np.sqrt((loudness[loud] ** 2).mean()))
    speech = samples[start:end] * (32768.0 * 10 ** (target_dbov / 20) / active)
    speech = _limit(speech)
    fade = np.linspace(0.0, 1.0, min(16, len(speech)), dtype=np.float32)
    speech[: len(fade)] *= fade
    speech[len(speech) - len(fade) :] *= fade[::-1]
    padding = -len(speech) % FRAME_SAMPLES
    return encode_mulaw(np.pad(speech, (0, padding)).astype("<i2").tobytes())


def _limit(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bend peaks over three quarters of the ceiling softly under it."""
    knee = 0.75 * _PEAK
    over = np.abs(samples) > knee
    bent = knee + (_PEAK - knee) * np.tanh((np.abs(samples) - knee) / (_PEAK - knee))
    return np.where(over, np.sign(samples) * bent, samples).astype(np.float32)
