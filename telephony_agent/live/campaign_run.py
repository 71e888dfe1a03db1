"""One campaign at work: dials its leads as the plan says, and follows each call to its end (``live.campaign``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from loguru import logger

from telephony_agent.live.campaign_tally import CampaignTally
from telephony_agent.live.campaign_verdict import verdict_of
from telephony_agent.live.dialler import DialAnswer, new_call_id
from telephony_agent.live.stored_lead import lead_of
from telephony_agent.sales.campaign import (
    STOP_GAP,
    Again,
    CampaignPlan,
    Dial,
    Finished,
    RetryRules,
    Wait,
    after_refusal,
)
from telephony_agent.sales.compliance import DialPolicy, next_opening
from telephony_agent.sales.lead import Lead, LeadError
from telephony_agent.sales.outcome import Outcome
from telephony_agent.store import CampaignRecord, CampaignState, Store, StoreUnavailable, UnknownRecord

LONGEST_WAIT_S = 60.0
"""So often the calendar is looked at anew: a machine that slept, or whose clock was set, has missed nothing."""
POLL_S = 2.0
"""How often it is looked whether a call has its outcome, where nobody can tell."""
TRY_AGAIN_S = 5.0
"""How long after a refusal by the database it is asked again."""

T = TypeVar("T")


class Dials(Protocol):
    """What campaigns ask of a dialler (``live.dialler``)."""

    async def dial(
        self, lead: Lead, lead_id: int | None = None, *, call_id: str = "", playbook_id: str = ""
    ) -> DialAnswer:
        """Ring a lead, if that is allowed and somebody could talk to them now."""
        ...

    async def finished(self, call_id: str) -> Outcome:
        """Wait for the end of a call that was dialled lately.

        Raises:
            LookupError: no such call, or it ended too long ago.
        """
        ...


class CampaignRun:
    """One campaign at work. ``running`` may be changed at any time: without it, live calls are followed and no more."""

    def __init__(
        self,
        record: CampaignRecord,
        plan: CampaignPlan,
        dials: Dials,
        store: Store,
        policy: DialPolicy,
        clock: Callable[[], datetime],
        tally: CampaignTally,
    ) -> None:
        self.on_end: Callable[[], object] = lambda: None
        """Called when the campaign is over."""
        self.stopped = False
        """Whether it is over with its last live call; set it before ``running``."""
        self._id = record.id
        self._playbook_id = record.new.playbook_id
        self._rules = RetryRules.from_data(record.new.retries)
        self._plan = plan
        self._dials = dials
        self._store = store
        self._policy = policy
        self._clock = clock
        self._tally = tally
        self._running = False
        self._happened = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = logger.bind(campaign=record.id)

    @property
    def live(self) -> int:
        """How many of its calls go on."""
        return len(self._plan.live)

    @property
    def running(self) -> bool:
        """Whether more calls are begun."""
        return self._running

    @running.setter
    def running(self, wanted: bool) -> None:
        self._running = wanted
        self._happened.set()

    async def start(self) -> None:
        """Take up the claims that are left from an earlier server, and begin."""
        for lead_id, call_id in await self._store.campaigns.claimed(self._id):
            self._plan.taken(lead_id)
            self._begin(self._settle(lead_id, call_id))
        self._begin(self._work())

    async def close(self) -> None:
        """Stop at once, wherever it is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------------ the steps

    async def _work(self) -> None:
        """Do what the plan says, until all is done."""
        while True:
            self._happened.clear()
            if self.stopped and not self._plan.live:
                self.on_end()
                return
            now = self._clock()
            step = self._plan.next(now) if self._running else Wait(None)
            match step:
                case Wait(until=until):
                    await self._wait(until)
                case Dial(lead_id=lead_id):
                    await self._persistently(partial(self._take, lead_id, new_call_id(), now))
                case Finished():
                    await self._persistently(self._finish)
                    self.on_end()
                    return

    async def _wait(self, until: datetime | None) -> None:
        wait_s = LONGEST_WAIT_S if until is None else max(0.0, (until - self._clock()).total_seconds())
        with suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, LONGEST_WAIT_S)):
                await self._happened.wait()

    async def _finish(self) -> None:
        among = (CampaignState.RUNNING,)
        await self._store.campaigns.change(self._id, CampaignState.FINISHED, among=among, now=self._clock())
        self._log.info("A campaign is finished")

    async def _take(self, lead_id: int, call_id: str, now: datetime) -> None:
        """Claim a lead for a call, and let that be placed; or let it wait for its hours."""
        try:
            lead = lead_of(await self._store.leads.get(lead_id))
        except UnknownRecord:
            # It was deleted meanwhile, and with it its place in the campaign.
            self._plan.not_dialled(lead_id, now, None)
            return
        except LeadError as error:
            await self._store.campaigns.refuse(self._id, lead_id, now, reason=error.code, detail=str(error))
            self._tally.refused(error.code)
            self._plan.not_dialled(lead_id, now, None)
            return
        opens = next_opening(lead.zone, lead.phone, now, self._policy)
        if opens is not None and opens > now:
            await self._store.campaigns.wait(self._id, lead_id, opens, now, reason="outside_hours")
            self._tally.refused("outside_hours")
            self._plan.not_dialled(lead_id, now, opens)
        elif await self._store.campaigns.claim(self._id, lead_id, call_id, now):
            self._begin(self._call(lead, lead_id, call_id))
        else:
            await self._lost(lead_id, now)

    async def _lost(self, lead_id: int, now: datetime) -> None:
        """Learn why a lead could not be claimed: another process changed the campaign, or has taken the lead."""
        record = await self._store.campaigns.get(self._id)
        if record.state is not CampaignState.RUNNING:
            # Unless we were told something meanwhile, which is newer than what was read; then it is tried again.
            self._running = self._running and self._happened.is_set()
            self._plan.not_dialled(lead_id, now, now)
            return
        # It runs, perhaps again since a moment: who waits still isn't taken.
        waits = any(waiting == lead_id for waiting, _ in await self._store.campaigns.waiting(self._id))
        self._plan.not_dialled(lead_id, now, now if waits else None)

    async def _call(self, lead: Lead, lead_id: int, call_id: str) -> None:
        """Have a call placed, and follow it to its end."""
        answer = await self._dials.dial(lead, lead_id, call_id=call_id, playbook_id=self._playbook_id)
        if answer.call_id:
            await self._settle(lead_id, call_id)
        else:
            await self._persistently(partial(self._refused, lead, lead_id, call_id, answer))

    async def _refused(self, lead: Lead, lead_id: int, call_id: str, answer: DialAnswer) -> None:
        """Take note that there is no call, and why."""
        now, reason, detail = self._clock(), answer.reason, answer.detail
        follows = after_refusal(reason, lead, now, self._policy)
        if isinstance(follows, Again):
            await self._store.campaigns.wait(
                self._id, lead_id, follows.at, now, reason=reason, detail=detail, call_id=call_id
            )
            if reason in STOP_GAP:
                self._plan.hold(follows.at, reason)
            self._plan.again(lead_id, follows.at)
        else:
            await self._store.campaigns.refuse(self._id, lead_id, now, reason=reason, detail=detail, call_id=call_id)
            self._log.bind(lead=lead_id, reason=reason).info("A lead is not called")
            self._plan.over(lead_id)
        self._tally.refused(reason)

    async def _settle(self, lead_id: int, call_id: str) -> None:
        """Wait for a call's end, and write down what follows."""
        with suppress(LookupError):
            await self._dials.finished(call_id)
        while True:
            if await self._persistently(partial(self._settled, lead_id, call_id)):
                return
            await asyncio.sleep(POLL_S)

    async def _settled(self, lead_id: int, call_id: str) -> bool:
        """Settle a lead by the outcome of its call; False while the call has none."""
        await self._store.recorder.flush()
        now = self._clock()
        try:
            told = await self._store.history.transcript(call_id)
        except UnknownRecord:
            # Claimed, and then the server died; or the person was forgotten, and with it its place in the campaign.
            if await self._store.campaigns.wait(self._id, lead_id, now, now, call_id=call_id):
                self._plan.again(lead_id, now)
            else:
                self._plan.over(lead_id)
            return True
        if told.call.outcome is None:
            return False
        verdict = verdict_of(told, self._rules)
        settlement = await self._store.campaigns.settle(self._id, lead_id, call_id, verdict, now)
        if settlement is not None:
            self._tally.settled(verdict)
        self._plan.place_free()
        if settlement is not None and settlement.again_at is not None:
            self._plan.again(lead_id, settlement.again_at)
        else:
            self._plan.over(lead_id)
        if settlement is not None and settlement.held:
            self._log.warning("A campaign is held: too many calls were abandoned")
            self._running = False
        return True

    # ------------------------------------------------------------------ the shell

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"campaign-{self._id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._happened.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.opt(exception=error).error("A campaign's work failed; the next start of the server takes it up")

    async def _persistently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something with the store, however long the store takes to let us."""
        while True:
            try:
                return await work()
            except StoreUnavailable as error:
                self._log.bind(error=str(error)).warning("A campaign waits for the database")
                await asyncio.sleep(TRY_AGAIN_S)
