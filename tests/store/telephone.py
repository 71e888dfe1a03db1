"""A telephone on the wire of the real server: it speaks in tones that stand for words, and hears like Twilio plays."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from telephony_agent.audio import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, encode_mulaw
from telephony_agent.core.events import EndReason
from telephony_agent.core.media_stream import MediaStream, Started
from telephony_agent.engines.base import Transcript
from telephony_agent.live.switchboard import Switchboard

OUR_NUMBER = "+15005550006"
FRAME_HZ = 1000 // FRAME_MS
"""Whole multiples of it fit into a frame without a click."""
LOWEST = 6
FRAMES_SPOKEN = 35
SILENCE = base64.b64encode(b"\xff" * FRAME_SAMPLES).decode()


def tone(line: int) -> str:
    """Return the frame that a line is spoken with, as it goes over the wire."""
    cycles = (LOWEST + line) * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES
    return base64.b64encode(encode_mulaw((6000 * np.sin(2 * np.pi * cycles)).astype("<i2").tobytes())).decode()


class ToneTranscriber:
    """Understands tones: each stands for one of the lines."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def warm(self) -> None:
        """Nothing to warm."""

    def transcribe(self, pcm: bytes, sample_rate: int) -> Transcript:
        """Find the loudest pitch; without one there are no words."""
        samples = np.frombuffer(pcm, "<i2").astype(float)
        if not samples.any():
            return Transcript("", "")
        pitch_hz = float(np.argmax(np.abs(np.fft.rfft(samples)))) * sample_rate / len(samples)
        text = self._lines[round(pitch_hz / FRAME_HZ) - LOWEST]
        return Transcript(text, text)


class Telephone:
    """One caller's telephone, frame by frame. All waiting is the event loop's."""

    def __init__(self, switchboard: Switchboard, call_sid: str, number: str) -> None:
        """Ring, and have the call answered."""
        self._unplayed: deque[dict[str, Any]] = deque()
        self._timestamp_ms = 0
        self.hung_up = False
        token = switchboard.expect(call_sid, direction="inbound", from_number=number, to_number=OUR_NUMBER)
        self._stream_sid = f"MZ{call_sid[2:]}"
        stream = MediaStream()
        start = {
            "streamSid": self._stream_sid,
            "callSid": call_sid,
            "accountSid": "AC" + "0" * 32,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": SAMPLE_RATE, "channels": 1},
            "customParameters": {"token": token},
        }
        started = stream.receive(json.dumps({"event": "start", "streamSid": self._stream_sid, "start": start}))
        assert isinstance(started, Started)
        self._leg = switchboard.admit(stream, started, send=self._receive, hang_up=self._end)
        self._leg.begin()

    async def says(self, line: int) -> None:
        """Speak."""
        await self._frames(tone(line), FRAMES_SPOKEN)

    async def listens(self, at_most_s: float = 30.0) -> None:
        """Be silent until the agent has spoken and is silent again, or has hung up."""
        for _ in range(round(at_most_s * FRAME_HZ)):
            await self._frames(SILENCE, 1)
            if self.hung_up or (not self._unplayed and self._leg.flow.at_rest(self._now())):
                return
        raise AssertionError("the agent never finished")

    async def waits(self, seconds: float) -> None:
        """Be silent for a while."""
        await self._frames(SILENCE, round(seconds * FRAME_HZ))

    def hangs_up(self) -> None:
        """Leave."""
        self._tell("stop", stop={})

    def _receive(self, text: str) -> None:
        message = json.loads(text)
        if message["event"] != "clear":
            self._unplayed.append(message)
            return
        marks = [message for message in self._unplayed if message["event"] == "mark"]
        self._unplayed.clear()
        for mark in marks:
            asyncio.get_running_loop().call_soon(self._echo, mark)

    def _end(self, _reason: EndReason | None = None) -> None:
        self.hung_up = True

    async def _frames(self, payload: str, number: int) -> None:
        for _ in range(number):
            await asyncio.sleep(FRAME_MS / 1000)
            self._play()
            self._tell("media", media={"timestamp": str(self._timestamp_ms), "payload": payload, "track": "inbound"})
            self._timestamp_ms += FRAME_MS

    def _play(self) -> None:
        """Let 20 ms of the agent's pass, and return the marks that it has come to."""
        if self._unplayed and self._unplayed[0]["event"] == "media":
            self._unplayed.popleft()
        while self._unplayed and self._unplayed[0]["event"] == "mark":
            self._echo(self._unplayed.popleft())

    def _echo(self, mark: dict[str, Any]) -> None:
        self._tell("mark", mark=mark["mark"])

    def _tell(self, event: str, **rest: Any) -> None:
        if not self.hung_up:
            self._leg.receive(json.dumps({"event": event, "streamSid": self._stream_sid, **rest}))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
