"""The way of the caller's media from the line to the websocket, with its faults: lost, doubled, reordered, late."""

from __future__ import annotations

from typing import Final

from telephony_agent.simulator.faults import Faults

STALL_FRAMES: Final = 10
"""How many frames a stall holds back before all of them arrive at once: 200 ms."""


class MediaLine:
    """Carries one stream's media messages; give it every frame in order.

    A lost frame's message must not even be made, since it leaves no hole in the counters: ask ``loses`` first.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._held: list[str] = []

    def loses(self, frame: int) -> bool:
        """Tell whether a frame is lost."""
        return _strikes(self._faults.lose_media_every, frame)

    def carry(self, frame: int, message: str) -> list[str]:
        """Take a frame's message; return the messages that go out now, in their order."""
        copies = 2 if _strikes(self._faults.double_media_every, frame) else 1
        arriving = [message] * copies
        overtakes = _strikes(self._faults.swap_media_every, frame - 1)
        self._held = arriving + self._held if overtakes else self._held + arriving
        if _strikes(self._faults.swap_media_every, frame) or self._stalls(frame):
            return []
        out, self._held = self._held, []
        return out

    def _stalls(self, frame: int) -> bool:
        every = self._faults.stall_media_every
        return every > 0 and frame % every >= every - STALL_FRAMES


def _strikes(every: int, frame: int) -> bool:
    return every > 0 and frame % every == every - 1
