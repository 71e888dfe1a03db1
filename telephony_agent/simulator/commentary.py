"""Turns loudness into events: who began to speak, who stopped, and how long the silence between was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from telephony_agent.simulator.caller import FRAME_MS, LOUD_DBOV
from telephony_agent.simulator.events import EventKind
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import level_dbov

Emit = Callable[[EventKind, str, int | None], None]
"""Takes an event's kind, text and value."""

_QUIET_MS: Final = 300


class Commentary:
    """Follows one stream, frame by frame; the figures are those of 20 ms windows, ``measure`` has the finer ones."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._agent_loud_ms: int | None = None
        self._since_ms: int | None = 0
        self._line = ""

    def follow(self, at_ms: int, agent: Pcm, words: Pcm, line: str) -> None:
        """Take in one frame of both sides."""
        begins = bool(line) and line != self._line
        has_ended = self._follow_line(line)
        if begins or (line and level_dbov(words) > LOUD_DBOV):
            self._since_ms = at_ms + FRAME_MS
        if level_dbov(agent) > LOUD_DBOV:
            if self._agent_loud_ms is None:
                self._emit(EventKind.AGENT_SPEAKS, "", None if self._since_ms is None else at_ms - self._since_ms)
                self._since_ms = None
            self._agent_loud_ms = at_ms + FRAME_MS
        elif self._agent_loud_ms is not None and (has_ended or at_ms - self._agent_loud_ms >= _QUIET_MS):
            self._emit(EventKind.AGENT_SILENT, "", None)
            self._agent_loud_ms = None

    def _follow_line(self, line: str) -> bool:
        """Tell of a line that began or ended; true if one ended."""
        ended = self._line
        if line == ended:
            return False
        if ended:
            self._emit(EventKind.CALLER_SILENT, ended, None)
        if line:
            self._emit(EventKind.CALLER_SPEAKS, line, None)
        self._line = line
        return bool(ended)
