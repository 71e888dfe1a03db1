"""The calls of one process by their ids, each in its place, and the tokens that let their streams in.

A call that rings us has its CallSid as its id; one that we place has an id before it has that. What the engines were
measured to take (``live.capacity``) decides whether there is a place, under a hard cap where one is set. A token lets
one stream in, once, and not later than ``TOKEN_LIFE_S``. The last calls that ended are remembered for whoever asks.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict

from loguru import logger

from telephony_agent.core.media_stream import CallSid, Started
from telephony_agent.errors import AdmissionError
from telephony_agent.live.call import Call, CallState
from telephony_agent.live.capacity import Capacity
from telephony_agent.telemetry import Metrics

TOKEN_LIFE_S = 30.0
KEPT_CALLS = 200
"""Some tens of KiB each; the store knows the others."""


class Places:
    """Who has a place, and may come in. Lives on the event loop."""

    def __init__(self, capacity: Capacity, metrics: Metrics, *, max_calls: int) -> None:
        """``max_calls`` is the hard cap, 0 for none."""
        self._capacity = capacity
        self._metrics = metrics
        self._max_calls = max_calls
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._ids: dict[CallSid, str] = {}

    @property
    def calls(self) -> list[Call]:
        """All that are known, the longest known first."""
        return list(self._calls.values())

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return len(self._calls) - self._count(CallState.ENDED)

    @property
    def going_on(self) -> int:
        """How many calls have somebody on the line: live, or with a stream that is on its way."""
        return self._count(CallState.EXPECTED, CallState.LIVE, CallState.AWAY)

    def find(self, call_id: str) -> Call | None:
        """Return a call by its id or its CallSid."""
        return self._calls.get(self._ids.get(CallSid(call_id), call_id))

    def has_room(self, sid: str, now: float) -> bool:
        """Tell whether one more call has a place; why it has none is logged and counted."""
        placed = self.taken
        log = logger.bind(call_sid=sid, placed=placed)
        refused = self._metrics.calls_refused
        if self._max_calls and placed >= self._max_calls:
            refused.labels("max_calls").inc()
            log.bind(max_calls=self._max_calls).warning("A call was turned away: all places are taken")
            return False
        forecast = self._capacity.with_calls(placed + 1, now)
        if not forecast.fits:
            refused.labels("engines").inc()
            log.bind(**forecast.figures()).warning("A call was turned away: the engines have no time for it")
        return forecast.fits

    def take(self, call: Call) -> None:
        """Give a call its place; one of the same id, which has ended, is forgotten."""
        self._calls.pop(call.call_id, None)
        self._calls[call.call_id] = call

    def name(self, call: Call, call_sid: CallSid) -> None:
        """Let a call be found by the carrier's name for it as well."""
        call.call_sid = call_sid
        self._ids[call_sid] = call.call_id

    def drop(self, call: Call) -> None:
        """Forget a call, and take its place back."""
        self._calls.pop(call.call_id, None)
        self._ids.pop(call.call_sid, None)

    def overdue(self, now: float) -> list[Call]:
        """Return the calls whose stream never came; of one that we placed its dialler asks the carrier."""
        return [
            call
            for call in self._calls.values()
            if call.state is CallState.EXPECTED and now > call.expires_at and not call.dialled
        ]

    def forget_oldest(self) -> None:
        """Forget the oldest of those that ended, when they are too many."""
        while len(self._calls) > KEPT_CALLS:
            oldest = next(iter(self._calls.values()))
            if oldest.state is not CallState.ENDED:
                break
            self.drop(oldest)

    def give_token(self, call: Call) -> str:
        """Return the token that the call's next stream must bring; any before it is void."""
        call.token = secrets.token_urlsafe(24)
        call.expires_at = asyncio.get_running_loop().time() + TOKEN_LIFE_S
        return call.token

    def let_in(self, started: Started) -> Call:
        """Take a stream's token, and return its call.

        Raises:
            AdmissionError: no such call is expected, the token is not that call's, was used, or came too late.
        """
        call = self.find(started.call_sid)
        token = started.parameters.get("token", "")
        if call is None or call.state not in (CallState.EXPECTED, CallState.AWAY):
            raise AdmissionError("no such call is expected")
        if not call.token or not secrets.compare_digest(token.encode(), call.token.encode()):
            raise AdmissionError("the token is not this call's")
        if asyncio.get_running_loop().time() > call.expires_at:
            raise AdmissionError("the token came too late")
        call.token = ""
        return call

    def tell_capacity(self) -> None:
        """Tell how many calls are live, now that it has changed."""
        self._capacity.live(self._count(CallState.LIVE), asyncio.get_running_loop().time())

    def _count(self, *states: CallState) -> int:
        return sum(call.state in states for call in self._calls.values())
