"""A line to a small Twilio: a world, the address of its API, and carriers that take their pauses in no time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from telephony_agent.carrier.carrier import Carrier, Dial, PlacedCall
from telephony_agent.carrier.twilio_http import HttpLimits
from telephony_agent.carrier.twilio_rest import TwilioCarrier
from tests.carrier.twilio_server import ACCOUNT, AGENT, CALLEE, Step, World, twilio

T = TypeVar("T")
BASE = "https://agent.example"
DIAL = Dial("call-1", CALLEE, AGENT, f"{BASE}/twilio/voice?call=call-1", f"{BASE}/twilio/status?call=call-1")
SHORT = HttpLimits(connect_s=5.0, answer_s=0.1)
UNCLEAR = [Step.CUT, Step.CRASH, Step.SLOW, Step.MOVED]
DONE_UNCLEAR = [Step.DONE_CUT, Step.DONE_503, Step.DONE_SLOW, Step.DONE_GARBAGE, Step.DONE_EMPTY]


@dataclass(slots=True)
class Line:
    """A Twilio and the address of its API; ``pauses`` are those that a carrier took, without any time passing."""

    world: World
    url: str
    pauses: list[float] = field(default_factory=list)

    def carrier(self, limits: HttpLimits = SHORT) -> TwilioCarrier:
        return TwilioCarrier(ACCOUNT, self.url, limits=limits, sleep=self._pass)

    def run(self, work: Callable[[Carrier], Awaitable[T]], limits: HttpLimits = SHORT) -> T:
        async def asked() -> T:
            carrier = self.carrier(limits)
            try:
                return await work(carrier)
            finally:
                await carrier.aclose()

        return asyncio.run(asked())

    def create(self, dial: Dial = DIAL) -> PlacedCall:
        return self.run(lambda carrier: carrier.create(dial))

    async def _pass(self, seconds: float) -> None:
        self.pauses.append(seconds)


@contextmanager
def opened() -> Iterator[Line]:
    world = World()
    with twilio(world) as url:
        yield Line(world, url)
