"""Two detectors for one call: webrtcvad says when, Silero says whether.

webrtcvad follows speech to the frame, and takes music, tones and coughs for it. Silero knows speech from all that, but
its windows of 32 ms and its memory blur the edges. So a frame is speech when webrtcvad says so and Silero has heard
speech within the last moment.
"""

from __future__ import annotations

from collections import deque

from telephony_agent.engines.base import VoiceDetector

MOMENT_FRAMES = 12
"""Silero's word holds for a quarter of a second."""


class ConfirmedVoiceDetector:
    """Speech by one detector, confirmed by another."""

    def __init__(self, detector: VoiceDetector, confirming: VoiceDetector) -> None:
        """``detector`` decides frame by frame, ``confirming`` whether that may be speech at all."""
        self._detector = detector
        self._confirming = confirming
        self._confirmed: deque[bool] = deque(maxlen=MOMENT_FRAMES)

    def is_speech(self, frame: bytes) -> bool:
        """Judge 20 ms of little-endian int16 PCM at 8 kHz (320 bytes)."""
        # Both hear every frame: they track the signal.
        speech = self._detector.is_speech(frame)
        self._confirmed.append(self._confirming.is_speech(frame))
        return speech and any(self._confirmed)
