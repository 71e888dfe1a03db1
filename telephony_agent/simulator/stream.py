"""One media stream as Twilio's end lives it: a 20 ms clock with absolute deadlines, a reader, and both tracks recorded.

Frame ``n`` is the 20 ms that begin ``20 n`` ms after ``start``. When it is over, the caller has heard the agent's part
of it and its own part is sent, with the timestamp of the frame's beginning. The first frames, before
``Pace.first_timestamp_ms``, are not sent: the line isn't up yet.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import struct
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from telephony_agent.simulator.caller import FRAME, FRAME_MS, CallerFrame, Talker
from telephony_agent.simulator.commentary import Commentary, Emit
from telephony_agent.simulator.debugger import Code, Notice
from telephony_agent.simulator.events import EventKind
from telephony_agent.simulator.faults import Behaviour
from telephony_agent.simulator.measure import measure
from telephony_agent.simulator.media_line import MediaLine
from telephony_agent.simulator.mulaw import NEGATIVE_SILENCE, SILENCE, Pcm, decode, encode
from telephony_agent.simulator.playout import SAMPLES_PER_MS, Playout
from telephony_agent.simulator.stream_record import Arrival, MarkEcho, StreamRecord, frame_timestamp_ms
from telephony_agent.simulator.wire import Clear, Mark, Media, StreamWire

_NEVER_STARTED_S: Final = 60


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """How a stream ended: the caller left, or what the console says of the agent's close."""

    caller_left: bool
    notice: Notice | None = None


class Stream:
    """Runs one stream over an open websocket; build it, ``run`` it once, then read ``record``."""

    def __init__(
        self, websocket: ClientConnection, wire: StreamWire, caller: Talker, behaviour: Behaviour, seed: int, emit: Emit
    ) -> None:
        self._websocket = websocket
        self._wire = wire
        self._caller = caller
        self._faults = behaviour.faults
        self._media_line = MediaLine(behaviour.faults)
        self._pace = behaviour.pace
        self._rng = random.Random(seed)  # noqa: S311 - jitter of a test signal
        self._emit = emit
        self._playout = Playout(echo_delay=behaviour.pace.echo_ms * SAMPLES_PER_MS)
        self._marks: list[MarkEcho] = []
        self._arrivals: list[Arrival] = []
        self._echoes = 0
        self._words: list[Pcm] = []
        self._line: list[Pcm] = []
        self._turns_before = len(caller.turns)
        self._frames_before = caller.frames
        self._started_s = 0.0
        self._late_ms = 0
        self._commentary = Commentary(emit)
        self._stopped = False

    def stop(self) -> None:
        """End the stream from Twilio's side with the next frame, as if the caller left."""
        self._stopped = True

    async def run(self) -> StreamEnd:
        """Hold the stream until a side ends it; closes the websocket."""
        reader = asyncio.create_task(self._read())
        try:
            try:
                caller_left = await self._hold(reader)
            except ConnectionClosed:
                caller_left = False
            return StreamEnd(True) if caller_left else StreamEnd(False, self._notice_of_close())
        finally:
            await self._websocket.close()
            await reader

    def record(self, stream_sid: str) -> StreamRecord:
        """Sum up the stream; the tracks are cut to the frames that were held."""
        words = np.concatenate(self._words) if self._words else np.zeros(0, np.int16)
        agent = decode(self._playout.heard[: len(words)])
        turns = tuple(
            replace(
                turn, first_frame=turn.first_frame - self._frames_before, end_frame=turn.end_frame - self._frames_before
            )
            for turn in self._caller.turns[self._turns_before :]
        )
        return StreamRecord(
            stream_sid=stream_sid,
            words=words,
            caller=np.concatenate(self._line) if self._line else words,
            agent=agent,
            turns=turns,
            marks=tuple(self._marks),
            clears=tuple(self._playout.clears),
            warnings=self._wire.warnings,
            rejected=tuple(self._wire.rejected),
            unplayed_ms=self._playout.queued // SAMPLES_PER_MS,
            late_ms=self._late_ms,
            first_timestamp_ms=self._pace.first_timestamp_ms,
            measures=measure(words, agent, turns, self._playout.gaps, self._playout.clears),
            arrivals=tuple(self._arrivals),
        )

    async def _hold(self, reader: asyncio.Task[None]) -> bool:
        """Run the clock; true when the caller left, false when the agent did."""
        await self._websocket.send(self._wire.connected())
        if self._faults.never_start:
            await asyncio.wait({reader}, timeout=_NEVER_STARTED_S)
            return False
        await asyncio.sleep(self._faults.late_start_ms / 1000)
        await self._websocket.send(self._wire.start())
        self._started_s = asyncio.get_running_loop().time()
        self._emit(EventKind.STREAM_STARTED, "", None)
        for frame in itertools.count():
            await self._wait_for_end_of(frame)
            if reader.done():
                return False
            if self._faults.reset_after_ms is not None and frame * FRAME_MS >= self._faults.reset_after_ms:
                self._reset()
                return False
            given = self._exchange(frame)
            await self._send(frame, given)
            await self._send_echoes()
            if given.hangs_up or self._stopped:
                await asyncio.sleep(self._pace.stop_ms / 1000)
                await self._websocket.send(self._wire.stop())
                return True
        raise AssertionError("the clock does not end")

    async def _wait_for_end_of(self, frame: int) -> None:
        deadline = self._started_s + (frame + 1) * FRAME_MS / 1000
        now = asyncio.get_running_loop().time()
        self._late_ms = max(self._late_ms, int((now - deadline) * 1000))
        await asyncio.sleep(max(0.0, deadline - now))

    def _exchange(self, frame: int) -> CallerFrame:
        """Let the caller hear the agent's frame, and take the caller's."""
        self._playout.advance((frame + 1) * FRAME)
        agent = decode(self._playout.heard[frame * FRAME : (frame + 1) * FRAME])
        given = self._caller.hear(agent)
        self._words.append(given.words)
        self._line.append(given.line)
        self._commentary.follow(frame * FRAME_MS, agent, given.words, given.text)
        return given

    async def _send(self, frame: int, given: CallerFrame) -> None:
        timestamp = frame_timestamp_ms(frame, self._pace.first_timestamp_ms)
        if timestamp < self._pace.first_timestamp_ms:
            return
        if given.key:
            await self._websocket.send(self._wire.dtmf(given.key))
        if self._media_line.loses(frame):
            return
        jitter = self._rng.choice((-1, 0, 0, 0, 1)) if timestamp > self._pace.first_timestamp_ms else 0
        for message in self._media_line.carry(frame, self._wire.media(self._mulaw(given.line), timestamp + jitter)):
            await self._websocket.send(message)

    def _mulaw(self, line: Pcm) -> bytes:
        """Encode; a silent line carries a mix of both zeros, as captures show."""
        if line.any():
            return encode(line)
        return bytes(self._rng.choices((SILENCE, NEGATIVE_SILENCE), k=len(line)))

    async def _read(self) -> None:
        """Take in the agent's messages until the websocket is closed."""
        try:
            async for message in self._websocket:
                self._receive(message)
                await self._send_echoes()
                if self._faults.slow_reader_ms:
                    await asyncio.sleep(self._faults.slow_reader_ms / 1000)
        except ConnectionClosed:
            return

    def _receive(self, message: str | bytes) -> None:
        now = self._now()
        match self._wire.receive(message):
            case Media(audio):
                self._arrivals.append(Arrival(now / SAMPLES_PER_MS, len(audio) / SAMPLES_PER_MS))
                if not self._playout.media(now, audio):
                    self._wire.rejected.append(Notice(Code.MEDIA_DISCARDED, "ten minutes of audio are queued"))
            case Mark(name):
                self._playout.mark(now, name)
                self._marks.append(MarkEcho(name, now // SAMPLES_PER_MS, None))
            case Clear():
                self._playout.clear(now)
                self._emit(EventKind.CLEARED, "", self._playout.clears[-1].samples // SAMPLES_PER_MS)
            case None:
                self._emit(EventKind.NOTICE, str(self._wire.rejected[-1]), None)

    async def _send_echoes(self) -> None:
        now = self._now()
        for name in self._playout.take_echoes(now):
            self._echoes += 1
            if self._echoes == self._faults.lose_mark:
                continue
            waiting = (i for i, mark in enumerate(self._marks) if mark.name == name and mark.echoed_ms is None)
            index = next(waiting)
            self._marks[index] = replace(self._marks[index], echoed_ms=now // SAMPLES_PER_MS)
            await self._websocket.send(self._wire.mark(name))

    def _now(self) -> int:
        """Give the sample clock; it stands at 0 until ``start``."""
        if not self._started_s:
            return 0
        return int((asyncio.get_running_loop().time() - self._started_s) * 1000 * SAMPLES_PER_MS)

    def _reset(self) -> None:
        """Cut the connection as a dead network would: a TCP reset, no close frame."""
        raw = self._websocket.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._websocket.transport.abort()

    def _notice_of_close(self) -> Notice:
        protocol = self._websocket.protocol
        if protocol.close_rcvd is not None:
            return Notice(Code.CLOSED, f"the agent closed with {protocol.close_rcvd}")
        if protocol.close_sent is not None:
            return Notice(Code.PROTOCOL, str(protocol.close_sent))
        return Notice(Code.BROKEN_PIPE, "the connection was cut without a close frame")
