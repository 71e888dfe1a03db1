"""Runs campaigns: dials their leads one after another, follows each call to its end, and survives the server.

Theory of operation
===================

What is to be done next, ``sales.campaign`` says; how far things have come, ``store.campaigns`` knows. This is the shell
around the two. For each lead that is due, in this order:

1. its hours are looked at; while they are closed it waits for their opening, and nothing else happens;
2. it is claimed in the store, with the id of a call that doesn't exist yet;
3. the dialler is told to place that call: it asks the law, holds a place, so that nobody who answers finds nobody,
   reserves the call and dials;
4. once the call has its outcome in the store, the claim is settled by that: done, or waiting for the next call.

A server that died left claims behind. ``start`` looks for the call of each: where there is none, it died between the
second step and the third, and the lead waits again; where there is one, the fourth step follows. So no step is done
twice, whatever happened between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from loguru import logger

from telephony_agent.live.campaign_run import CampaignRun, Dials
from telephony_agent.live.campaign_tally import CampaignTally
from telephony_agent.sales.campaign import CampaignError, CampaignPlan, Pace
from telephony_agent.sales.compliance import DialPolicy
from telephony_agent.store import CampaignRecord, CampaignState, NewCampaign, Store


class CampaignDesk:
    """The campaigns of one server. Lives on the event loop; ``start`` it once the store is recovered.

    Args:
        dials: places calls.
        store: remembers everything.
        policy: whom the owner allows to call, and when.
        clock: the time in UTC.
    """

    def __init__(
        self,
        dials: Dials,
        store: Store,
        policy: DialPolicy,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.policy = policy
        self.clock = clock
        self.tally = CampaignTally()
        self._dials = dials
        self._store = store
        self._pace = Pace()
        self._runs: dict[int, CampaignRun] = {}
        self._changing = asyncio.Lock()
        """What a campaign is told comes in the order in which the store was told."""
        self._closed = False

    @property
    def live(self) -> int:
        """How many calls go on, from the moment a lead's turn comes to when its call is settled."""
        return sum(run.live for run in self._runs.values())

    async def start(self) -> None:
        """Settle what an earlier server left half done, and go on with the campaigns that run.

        Raises:
            StoreUnavailable: the database doesn't answer; start again.
        """
        campaigns = self._store.campaigns
        running = {record.id: record for record in await campaigns.running()}
        for campaign_id in sorted({*running, *await campaigns.with_claims()}):
            async with self._changing:
                await self._run(running.get(campaign_id) or await campaigns.get(campaign_id))

    async def begin(self, new: NewCampaign, leads: Sequence[int]) -> CampaignRecord:
        """Begin a campaign with leads of the store.

        Raises:
            UnknownRecord: there is no such lead.
            CampaignError: nobody is to be called.
        """
        if not leads:
            raise CampaignError("leads: nobody is to be called; name at least one")
        record = await self._store.campaigns.create(new, leads, self.clock())
        logger.bind(campaign=record.id, leads=len(leads)).info("A campaign begins")
        async with self._changing:
            await self._run(await self._store.campaigns.get(record.id))
        return record

    async def pause(self, campaign_id: int) -> CampaignRecord:
        """Begin no more calls for now; those that are live go on.

        Raises:
            CampaignError: it doesn't run.
            UnknownRecord: there is no such campaign.
        """
        return await self._change(campaign_id, CampaignState.PAUSED, (CampaignState.RUNNING, CampaignState.HELD))

    async def stop(self, campaign_id: int) -> CampaignRecord:
        """Begin no more calls, ever; those that are live go on.

        Raises:
            CampaignError: it is over.
            UnknownRecord: there is no such campaign.
        """
        among = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.HELD)
        return await self._change(campaign_id, CampaignState.STOPPED, among)

    async def resume(self, campaign_id: int) -> CampaignRecord:
        """Go on with a campaign that is paused or held.

        Raises:
            CampaignError: it isn't.
            UnknownRecord: there is no such campaign.
        """
        return await self._change(campaign_id, CampaignState.RUNNING, (CampaignState.PAUSED, CampaignState.HELD))

    async def close(self) -> None:
        """Begin no more calls, and leave what is half done to the next start. Call it before the dialler is closed."""
        self._closed = True
        for run in self._runs.values():
            await run.close()
        self._runs.clear()

    async def _change(self, campaign_id: int, to: CampaignState, among: Iterable[CampaignState]) -> CampaignRecord:
        async with self._changing:
            changed = await self._store.campaigns.change(campaign_id, to, among=among, now=self.clock())
            record = await self._store.campaigns.get(campaign_id)
            if not changed:
                raise CampaignError(f"campaign {campaign_id} is {record.state}, so it can't become {to}")
            logger.bind(campaign=campaign_id, state=to.value).info("A campaign was changed")
            if to is CampaignState.RUNNING:
                await self._run(record)
            elif campaign_id in self._runs:
                self._runs[campaign_id].stopped = to is CampaignState.STOPPED
                self._runs[campaign_id].running = False
            return record

    async def _run(self, record: CampaignRecord) -> None:
        """Go on with a campaign: the one that this server has at work, or as the store knows it."""
        if self._closed:
            # The next start of the server sees to it.
            return
        run = self._runs.get(record.id)
        if run is None:
            waiting = await self._store.campaigns.waiting(record.id)
            plan = CampaignPlan(waiting, per_s=record.new.per_s, at_once=record.new.at_once, pace=self._pace)
            run = CampaignRun(record, plan, self._dials, self._store, self.policy, self.clock, self.tally)
            run.on_end = lambda: self._runs.pop(record.id, None)
            self._runs[record.id] = run
            await run.start()
        run.stopped = record.state is CampaignState.STOPPED
        run.running = record.state is CampaignState.RUNNING
