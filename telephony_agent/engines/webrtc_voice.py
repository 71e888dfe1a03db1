"""webrtcvad behind an energy gate: a :class:`~telephony_agent.engines.base.VoiceDetector` of microseconds a frame.

webrtcvad alone takes steady noise, DTMF tones and music for speech once they are loud, and never adapts to them. So a
frame must also rise above the line's own noise: 9 dB over the tracked floor, and over -45 dBov in any case.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from telephony_agent.audio import SAMPLE_RATE, level_dbov

MARGIN_DB = 9.0
QUIETEST_SPEECH_DBOV = -45.0

_START_DBOV = -55.0
_HIGHEST_FLOOR_DBOV = -33.0
_SPAN_FRAMES = 25
_SPANS = 5


class NoiseFloor:
    """The level of a line when nobody speaks: the minimum over the last two and a half seconds.

    Speech dips to the line's noise many times a second, so its minimum is the noise and not the speech, while noise
    that lasts becomes the floor by itself. The memory starts at a quiet line's level: a call that opens with speech
    must not take that for noise. The floor never comes so near to normal speech that the gate would shut it out.
    """

    def __init__(self) -> None:
        self._past = deque([_START_DBOV] * _SPANS, maxlen=_SPANS)
        self._lowest = 0.0
        self._frames = 0

    @property
    def dbov(self) -> float:
        """The floor now."""
        return min(self._lowest, min(self._past), _HIGHEST_FLOOR_DBOV)

    def update(self, level: float) -> None:
        """Take in the level of the next 20 ms frame, in dBov."""
        self._lowest = min(self._lowest, level)
        self._frames += 1
        if self._frames == _SPAN_FRAMES:
            self._past.append(self._lowest)
            self._lowest = 0.0
            self._frames = 0


class WebrtcVoiceDetector:
    """webrtcvad and the energy gate for one call.

    Args:
        mode: how strict webrtcvad is, 0 to 3.
    """

    def __init__(self, mode: int = 3) -> None:
        import webrtcvad

        self._vad: Any = webrtcvad.Vad(mode)
        self._floor = NoiseFloor()

    def is_speech(self, frame: bytes) -> bool:
        """Judge 20 ms of little-endian int16 PCM at 8 kHz (320 bytes)."""
        level = level_dbov(frame)
        loud = level > max(self._floor.dbov + MARGIN_DB, QUIETEST_SPEECH_DBOV)
        self._floor.update(level)
        # Asked for every frame, loud or not: it tracks the signal itself.
        return bool(self._vad.is_speech(frame, SAMPLE_RATE)) and loud
