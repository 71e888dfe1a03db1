"""A whole server in one process, without sockets: a cast of callers on the real switchboard, legs, guides and books.

The engines are scripted and the time is virtual; everything else is what ``telephony-agent serve`` runs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from starlette.applications import Starlette

from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.core.call_terms import Announcements, CallRules
from telephony_agent.engines.base import Message
from telephony_agent.engines.scripted import LevelVoiceDetector, ScriptedResponder, ScriptedSynthesizer
from telephony_agent.live.announcing import render_announcements
from telephony_agent.live.call import CallTerms
from telephony_agent.live.engine_room import Deadlines, EngineRoom, Engines
from telephony_agent.live.retelling import retold
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.switchboard import Switchboard
from telephony_agent.live.text_call import TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.live.watch import Watch
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.store import Outcome, Store, Transcript
from telephony_agent.web import sales
from telephony_agent.web.site import Site
from tests.loopback.agent import API_TOKEN, PLAYBOOK, PUBLIC_URL

from .mortal import Death, number_of
from .telephone import Telephone, ToneTranscriber
from .virtual_time import VirtualLoop

ABOUT, MEETING, YES, GOODBYE, OPT_OUT, REFUSAL = LINES = (
    "what is it about",
    "can we meet tomorrow at ten in the morning",
    "yes, that's right",
    "thanks, goodbye",
    "please take me off your list",
    "I'm not interested",
)
ANSWERS = {ABOUT: "Your customers book online.", GOODBYE: "Have a good day. [END_CALL]"}
PAUSE_S = 0.6
"""Between two turns of a caller's."""
LAST_WORD = "over"

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """What one party says in its call; ``hurried`` hangs up on the last answer."""

    name: str
    lines: tuple[str, ...]
    by_text: bool = False
    hurried: bool = False


CAST = (
    Part("books", (ABOUT, MEETING, YES, GOODBYE)),
    Part("opts out", (ABOUT, OPT_OUT)),
    Part("refuses", (REFUSAL, REFUSAL, REFUSAL)),
    Part("hangs up", (ABOUT, ABOUT), hurried=True),
    Part("types", (ABOUT, MEETING, YES, GOODBYE), by_text=True),
    Part("opts out by text", (ABOUT, OPT_OUT), by_text=True),
)

WHOLE_LIFE = {
    "books": "meeting_booked",
    "opts out": "do_not_call",
    "refuses": "not_interested",
    "hangs up": "hung_up",
    "types": "meeting_booked",
    "opts out by text": "do_not_call",
}
"""The disposition of each call that nothing gets in the way of."""


def number_in(life: int, part: int) -> str:
    """Return the number of a party in a life of the server: nobody else's."""
    return number_of(life * len(CAST) + part)


def answer(messages: Sequence[Message]) -> str:
    """Word the reply to what was said last."""
    return ANSWERS.get(messages[-1]["content"], "I see.")


def engines() -> Engines:
    """Make engines that take no time worth telling."""
    return Engines(
        ToneTranscriber(LINES), ScriptedResponder(answer), ScriptedSynthesizer(ms_per_character=10), LevelVoiceDetector
    )


@dataclass(frozen=True, slots=True)
class Server:
    """The parts of a server that its callers meet."""

    store: Store
    switchboard: Switchboard
    client: httpx.AsyncClient


@dataclass(frozen=True, slots=True)
class Lasting:
    """What all lives share: where the store is, and what takes long to make."""

    folder: Path
    url: str
    announcements: Announcements
    desk: SalesDesk
    phrasebook: Phrasebook

    @classmethod
    def of(cls, folder: Path, url: str = "") -> Lasting:
        """Make it."""
        announcements = render_announcements(SalesDesk(PLAYBOOK), engines().synthesizer)
        return cls(folder, url, announcements, SalesDesk(PLAYBOOK), Phrasebook.shipped())

    def retold(self, told: Transcript) -> Outcome | None:
        """Make out what came of a call of the life before."""
        return retold(told, self.desk)

    def store(self, *, busy_ms: int = 5000) -> Store:
        """Make a store; it isn't open yet."""
        return Store(self.folder, self.url, delivers=True, busy_ms=busy_ms)


@asynccontextmanager
async def serving(lasting: Lasting, *, busy_ms: int = 5000) -> AsyncIterator[Server]:
    """Serve as the command line's server does, on a ``VirtualLoop``."""
    store = lasting.store(busy_ms=busy_ms)
    await store.open()
    await store.recover(datetime.now(UTC), lasting.retold)
    room = EngineRoom(engines(), Deadlines())
    lanes = (room.transcribing, room.responding, room.synthesizing)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.clock.works.append(lambda: any(job.pending for lane in lanes for job in lane._open))
    site = Site(PUBLIC_URL, None, TwimlDocuments(), api_token=API_TOKEN, store=store)
    site.switchboard = Switchboard(
        room,
        CallTerms(lasting.announcements, lasting.phrasebook, PLAYBOOK.system_prompt(), CallRules(), lasting.desk),
        max_calls=len(CAST),
        watch=Watch(site.metrics, recorder=store.recorder),
    )
    terms = TextTerms(room.engines.responder, room.responding, 10.0, lasting.phrasebook)
    site.text_desk = TextDesk(lasting.desk, terms, recorder=store.recorder)
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    app = Starlette(routes=sales.ROUTES)
    app.state.site = site
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, headers=headers) as client:
        yield Server(store, site.switchboard, client)
    site.text_desk.close()
    await store.close()
    room.close()


@dataclass(frozen=True, slots=True)
class Party:
    """One party in one life: who it is, and how it tells what it has heard."""

    part: int
    life: int
    death: Death
    report: Report

    @property
    def number(self) -> str:
        """Its telephone number."""
        return number_in(self.life, self.part)

    def has_heard(self, turns: int | str) -> None:
        """Tell how many turns it has heard us out in."""
        self.report(json.dumps({"part": self.part, "heard": turns}))


async def speaks(server: Server, part: Part, party: Party) -> None:
    """Play a call by telephone."""
    phone = Telephone(server.switchboard, f"CA{party.number[1:]:0>32}", party.number)
    await phone.listens()
    for turn, line in enumerate(part.lines):
        party.has_heard(turn)
        await phone.waits(PAUSE_S)
        await phone.says(LINES.index(line))
        if part.hurried and turn + 1 == len(part.lines):
            await phone.waits(1.0)
            phone.hangs_up()
        else:
            await phone.listens()
    if not part.hurried:
        party.has_heard(len(part.lines))
    await asyncio.sleep(PAUSE_S)
    party.has_heard(LAST_WORD)


async def types(server: Server, part: Part, party: Party) -> None:
    """Play a call by the API; its answers are what is heard."""
    lead = {"name": "Anna Miller", "phone": party.number}
    answered = await server.client.post("/api/v1/sales/start-call", json={"lead": lead, "channel": "text"})
    assert answered.status_code == 201, answered.text
    call_id = answered.json()["call_id"]
    for turn, line in enumerate(part.lines):
        party.death.step()
        await asyncio.sleep(PAUSE_S)
        party.has_heard(turn)
        answered = await server.client.post(f"/api/v1/sales/calls/{call_id}/turns", json={"text": line})
        assert answered.status_code == 200, answered.text
    party.has_heard(len(part.lines))
    party.death.step()
    await asyncio.sleep(PAUSE_S)
    party.has_heard(LAST_WORD)


async def play(server: Server, life: int, death: Death, report: Report) -> None:
    """Play all calls of a life at once."""
    async with asyncio.TaskGroup() as calls:
        for number, part in enumerate(CAST):
            calls.create_task((types if part.by_text else speaks)(server, part, Party(number, life, death, report)))
