"""A town of people with telephones: what a campaign's dialler finds there, in virtual time, on a real store.

Its dialler goes through the gates of the real one, with its laws and its reservation; who answers is data.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from telephony_agent.live.campaign import CampaignDesk
from telephony_agent.live.dialler import DialAnswer
from telephony_agent.sales.campaign import RetryRules
from telephony_agent.sales.compliance import DialPolicy, may_dial
from telephony_agent.sales.disposition import Disposition, LineResult
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.outcome import Outcome
from telephony_agent.store import (
    CampaignLead,
    CampaignRecord,
    CampaignState,
    Consent,
    LeadDraft,
    NewCall,
    NewCampaign,
    Store,
    StoreUnavailable,
    TurnRecord,
    local_day,
)
from telephony_agent.store import Outcome as StoredOutcome
from tests.store.virtual_time import VirtualLoop

T = TypeVar("T")
START = datetime(2026, 3, 3, 0, 30, tzinfo=UTC)
"""Evening in New York, afternoon in Los Angeles, night in Berlin."""
NEW_YORK, LOS_ANGELES, BERLIN = ZONES = ("America/New_York", "America/Los_Angeles", "Europe/Berlin")
AREAS = ("212", "310", "415", "312", "617")
POLICY = DialPolicy()
CONSENT = Consent("written", "Call me about it.", datetime(2026, 1, 1, tzinfo=UTC))


def virtually(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run something in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work())


async def passes(seconds: float) -> None:
    """Let virtual time pass; nobody waits for it."""
    await asyncio.sleep(seconds)


def now() -> datetime:
    """Return the town's time."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


def number_of(person: int) -> str:
    """Return a number that is nobody's."""
    return f"+1{AREAS[person // 100]}55501{person % 100:02d}"


def person_of(number: str) -> int:
    """Return whose number it is."""
    return AREAS.index(number[2:5]) * 100 + int(number[-2:])


def people(count: int, **changes: Any) -> list[LeadDraft]:
    """Return so many people, of each zone every third."""
    return [
        replace(
            LeadDraft(f"Person {one}", number_of(one), zone=ZONES[one % len(ZONES)], consent=CONSENT),
            **changes,
        )
        for one in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Manners:
    """What somebody does when called. ``greeted`` is whether they hear us once they have answered."""

    line: LineResult = LineResult.ANSWERED
    disposition: Disposition = Disposition.NOT_INTERESTED
    rings_s: float = 6.0
    talks_s: float = 40.0
    greeted: bool = True


BUSY = Manners(LineResult.BUSY, Disposition.NOT_REACHED, rings_s=1)
ABSENT = Manners(LineResult.NO_ANSWER, Disposition.NOT_REACHED, rings_s=30)
UNREACHED = Manners(LineResult.FAILED, Disposition.FAILED, rings_s=1)
MAILBOX = Manners(LineResult.VOICEMAIL, Disposition.VOICEMAIL_LEFT)
KEPT_WAITING = Manners(disposition=Disposition.HUNG_UP, talks_s=5, greeted=False)


@dataclass(frozen=True, slots=True)
class Rung:
    """A telephone that rang."""

    at: datetime
    number: str
    call_id: str


@dataclass
class Town:
    """Everybody's telephones, and a dialler to them. ``manners`` may depend on how often somebody was rung before."""

    store: Store
    manners: Callable[[int, int], Manners] = lambda _person, _before: Manners()
    places: int = 100
    on_ring: Callable[[Rung], None] = lambda _: None
    rung: list[Rung] = field(default_factory=list)
    most_at_once: int = 0
    _calls: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def live(self) -> int:
        """How many calls go on."""
        return sum(not task.done() for task in self._calls.values())

    async def dial(
        self, lead: Lead, lead_id: int | None = None, *, call_id: str = "", playbook_id: str = ""
    ) -> DialAnswer:
        """Ring somebody, through all gates."""
        try:
            return await self._dial(lead, lead_id, call_id)
        except StoreUnavailable as error:
            return DialAnswer(reason="store", detail=str(error))

    async def _dial(self, lead: Lead, lead_id: int | None, call_id: str) -> DialAnswer:
        day = local_day(now(), lead.zone)
        made = await self.store.dialling.attempts_on(day, lead.phone, lead_id) if day else 0
        listed = {lead.phone} if await self.store.do_not_call.contains(lead.phone) else set()
        decision = may_dial(lead, lead.phone, now(), POLICY, made, listed)
        if not decision.allowed:
            return DialAnswer(reason=decision.reason.value, detail=decision.detail)
        if self.live >= self.places:
            return DialAnswer(reason="no_place", detail="all places are taken")
        call = NewCall(call_id, "outbound", now(), number=lead.phone, lead_id=lead_id)
        reservation = await self.store.dialling.reserve_dial(call, zone=lead.zone, max_attempts=POLICY.attempts_per_day)
        if reservation.refusal is not None:
            return DialAnswer(reason=reservation.refusal)
        rung = Rung(now(), lead.phone, call_id)
        self.on_ring(rung)
        before = sum(earlier.number == lead.phone for earlier in self.rung)
        self.rung.append(rung)
        self._calls[call_id] = asyncio.create_task(
            self._live(call_id, self.manners(person_of(lead.phone), before)), name=call_id
        )
        self.most_at_once = max(self.most_at_once, self.live)
        return DialAnswer(call_id)

    async def finished(self, call_id: str) -> Outcome:
        """Wait for a call's end; a town's calls have no outcome but the store's."""
        if call_id in self._calls:
            await self._calls[call_id]
        raise LookupError(call_id)

    async def _live(self, call_id: str, does: Manners) -> None:
        await asyncio.sleep(does.rings_s)
        if does.line in (LineResult.ANSWERED, LineResult.VOICEMAIL):
            await self.store.calls.answered(call_id, now())
            heard = "Hello." if does.greeted else ""
            await self.store.calls.put_turn(call_id, TurnRecord(0, reply="Hello.", reply_heard=heard))
            await asyncio.sleep(does.talks_s)
        await self.store.calls.finish(call_id, StoredOutcome(does.disposition.value, does.line.value, now()))


@dataclass(frozen=True, slots=True)
class Office:
    """A store, a town, and the campaigns between them."""

    store: Store
    town: Town
    desk: CampaignDesk

    async def begins(
        self, drafts: Sequence[LeadDraft], *, per_s: float = 1.0, at_once: int = 0, retry: Sequence[str] = ()
    ) -> CampaignRecord:
        """Begin a campaign with people."""
        leads = await self.store.leads.enlist(drafts, now())
        rules = RetryRules().changed(retry).as_data()
        return await self.desk.begin(NewCampaign("spring", per_s, at_once, rules), leads)

    async def comes_to(self, record: CampaignRecord, *states: CampaignState, within_h: float = 72) -> CampaignRecord:
        """Wait until a campaign is in one of some states, and no call goes on."""
        async with asyncio.timeout(within_h * 3600):
            while True:
                found = await self.store.campaigns.get(record.id)
                if found.state in states and not self.town.live:
                    return found
                await asyncio.sleep(300)

    async def left(self, record: CampaignRecord) -> dict[int, CampaignLead]:
        """Return how each person stands in a campaign."""
        leads = (await self.store.campaigns.leads(record.id, limit=500)).items
        return {person_of(one.phone): one for one in leads}


@asynccontextmanager
async def office(
    folder: Path, *, server: str = "main", busy_ms: int = 5000, on_open: Callable[[], None] = lambda: None, **town: Any
) -> AsyncIterator[Office]:
    """Serve as a server does that is started: recover, and go on with the campaigns."""
    async with Store(folder, server=server, busy_ms=busy_ms) as store:
        on_open()
        place = Town(store, **town)
        desk = CampaignDesk(place, store, POLICY, clock=now)
        await store.recover(now())
        await desk.start()
        yield Office(store, place, desk)
        await desk.close()
