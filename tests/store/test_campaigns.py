"""Campaigns in the store: who waits, who is claimed, what came of it; each change once, from where it is thought to."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from telephony_agent.store import (
    CampaignRecord,
    CampaignState,
    CursorError,
    LeadDraft,
    LeadState,
    NewCampaign,
    RetentionPolicy,
    Settlement,
    Standing,
    Store,
    UnknownRecord,
    Verdict,
)
from telephony_agent.store.campaigns import PERIOD

from .conftest import MakeStore
from .stage import ANNA, BEN, NOW, at, lead, outbound

pytestmark = pytest.mark.anyio
NEW = NewCampaign("spring", 2.5, 3, {"busy": {"after_s": 900, "times": 3}})
ALL = tuple(CampaignState)


def verdict(
    line_result: str = "answered",
    disposition: str = "callback",
    *,
    abandoned: bool = False,
    again_at: datetime | None = None,
    hold_from: int = 99,
) -> Verdict:
    return Verdict(
        line_result,
        disposition,
        answered=line_result == "answered",
        abandoned=abandoned,
        again_at=lambda times: again_at if times < 3 else None,
        hold=lambda answered, lost: f"{lost} of {answered}" if lost >= hold_from else "",
    )


async def campaign(store: Store, people: int = 1, *, new: NewCampaign = NEW) -> tuple[CampaignRecord, list[int]]:
    drafts = [LeadDraft(f"Lead {number}", f"+121255501{number:02d}") for number in range(people)]
    leads = await store.leads.enlist(drafts, NOW)
    return await store.campaigns.create(new, leads, NOW), list(leads)


async def settled(
    store: Store, record: CampaignRecord, lead_id: int, call_id: str, what: Verdict, now: datetime = NOW
) -> Settlement | None:
    assert await store.campaigns.claim(record.id, lead_id, call_id, now)
    return await store.campaigns.settle(record.id, lead_id, call_id, what, now)


async def test_a_campaign_comes_back_as_it_was_made(store: Store) -> None:
    record, leads = await campaign(store, 3)
    assert record.new == NEW
    assert record.state is CampaignState.RUNNING
    assert await store.campaigns.get(record.id) == record
    assert await store.campaigns.running() == (record,)
    assert await store.campaigns.waiting(record.id) == tuple((lead_id, NOW) for lead_id in leads)


async def test_a_lead_that_is_named_twice_is_in_it_once(store: Store) -> None:
    anna, ben = await lead(store), await lead(store, "Ben", BEN)
    record = await store.campaigns.create(NEW, [ben, anna, ben], NOW)
    assert [lead_id for lead_id, _ in await store.campaigns.waiting(record.id)] == [ben, anna]


async def test_a_campaign_with_an_unknown_lead_is_not_begun(store: Store) -> None:
    with pytest.raises(UnknownRecord, match="no lead 999"):
        await store.campaigns.create(NEW, [await lead(store), 999], NOW)
    assert (await store.campaigns.page()).items == ()


async def test_campaigns_are_listed_newest_first(store: Store) -> None:
    made = [(await store.campaigns.create(NEW, [], NOW)).id for _ in range(3)]
    first = await store.campaigns.page(limit=2)
    assert [record.id for record in first.items] == made[:0:-1]
    rest = await store.campaigns.page(cursor=first.next_cursor, limit=2)
    assert [record.id for record in rest.items] == made[:1]
    assert rest.next_cursor is None
    with pytest.raises(CursorError):
        await store.campaigns.page(cursor="nonsense")


async def test_its_leads_are_listed_in_its_order_and_by_their_state(store: Store) -> None:
    record, leads = await campaign(store, 3)
    first = await store.campaigns.leads(record.id, limit=2)
    rest = await store.campaigns.leads(record.id, cursor=first.next_cursor, limit=2)
    assert [one.lead_id for one in (*first.items, *rest.items)] == leads
    assert await store.campaigns.claim(record.id, leads[1], "out-1", NOW)
    (claimed,) = (await store.campaigns.leads(record.id, state=LeadState.DIALLING)).items
    assert (claimed.lead_id, claimed.call_id, claimed.name) == (leads[1], "out-1", "Lead 1")
    with pytest.raises(UnknownRecord):
        await store.campaigns.leads(99)


async def test_a_lead_is_claimed_for_one_call(store: Store) -> None:
    record, (anna,) = await campaign(store)
    claims = [store.campaigns.claim(record.id, anna, f"out-{number}", NOW) for number in range(4)]
    assert sorted(await asyncio.gather(*claims)) == [False, False, False, True]
    assert await store.campaigns.waiting(record.id) == ()
    ((lead_id, call_id),) = await store.campaigns.claimed(record.id)
    assert lead_id == anna
    assert await store.campaigns.claim(record.id, anna, call_id, NOW), "the same claim again is the same"


@pytest.mark.parametrize("state", [state for state in ALL if state is not CampaignState.RUNNING])
async def test_nobody_is_claimed_in_a_campaign_that_does_not_run(store: Store, state: CampaignState) -> None:
    record, (anna,) = await campaign(store)
    assert await store.campaigns.change(record.id, state, among=ALL, now=NOW)
    assert not await store.campaigns.claim(record.id, anna, "out-1", NOW)
    assert await store.campaigns.running() == ()


async def test_a_claim_without_a_call_is_given_back(store: Store) -> None:
    record, (anna,) = await campaign(store)
    assert await store.campaigns.claim(record.id, anna, "out-1", NOW)
    assert not await store.campaigns.wait(record.id, anna, at(5), NOW, call_id="out-2"), "it is not this call's"
    assert await store.campaigns.wait(record.id, anna, at(5), NOW, reason="no_place", call_id="out-1")
    assert not await store.campaigns.wait(record.id, anna, at(9), NOW, call_id="out-1"), "it was given back"
    assert await store.campaigns.waiting(record.id) == ((anna, at(5)),)
    assert (await store.campaigns.progress(record.id)).next_at == at(5)


async def test_a_lead_that_is_refused_is_told_with_its_reason(store: Store) -> None:
    record, (anna, ben) = await campaign(store, 2)
    assert await store.campaigns.refuse(record.id, anna, NOW, reason="do_not_call", detail="It is on the list.")
    assert await store.campaigns.claim(record.id, ben, "out-1", NOW)
    assert not await store.campaigns.refuse(record.id, ben, NOW, reason="country", detail=""), "it is being dialled"
    assert await store.campaigns.refuse(record.id, ben, NOW, reason="attempts", detail="", call_id="out-1")
    refused = (await store.campaigns.leads(record.id, state=LeadState.REFUSED)).items
    assert [(one.reason, one.detail, one.attempts) for one in refused] == [
        ("do_not_call", "It is on the list.", 0),
        ("attempts", "", 0),
    ]
    assert (await store.campaigns.progress(record.id)).refused == {"do_not_call": 1, "attempts": 1}


async def test_a_call_settles_its_lead_once(store: Store) -> None:
    record, (anna,) = await campaign(store)
    assert await settled(store, record, anna, "out-1", verdict()) == Settlement(None, held=False)
    assert await store.campaigns.settle(record.id, anna, "out-1", verdict("busy"), NOW) is None
    (left,) = (await store.campaigns.leads(record.id)).items
    assert (left.state, left.line_result, left.disposition, left.results) == (
        LeadState.DONE,
        "answered",
        "callback",
        {"answered": 1},
    )
    assert (await store.campaigns.get(record.id)).answered == 1


async def test_a_retry_waits_and_its_results_are_counted_each(store: Store) -> None:
    record, (anna,) = await campaign(store)
    busy, absent = verdict("busy", "not_reached", again_at=at(60)), verdict("no_answer", "not_reached", again_at=at(90))
    for number, what in enumerate((busy, absent, busy)):
        settlement = await settled(store, record, anna, f"out-{number}", what)
        assert settlement is not None
        assert settlement.again_at is not None
    assert await settled(store, record, anna, "out-9", busy) == Settlement(None, held=False)
    (left,) = (await store.campaigns.leads(record.id)).items
    assert left.results == {"busy": 3, "no_answer": 1}
    assert left.attempts == 4


async def test_too_many_abandoned_calls_hold_a_campaign_in_the_same_breath(store: Store) -> None:
    record, leads = await campaign(store, 3)
    lost = verdict(disposition="failed", abandoned=True, hold_from=2)
    assert await settled(store, record, leads[0], "out-0", lost) == Settlement(None, held=False)
    assert await settled(store, record, leads[1], "out-1", lost) == Settlement(None, held=True)
    held = await store.campaigns.get(record.id)
    assert (held.state, held.reason, held.answered, held.abandoned) == (CampaignState.HELD, "2 of 2", 2, 2)


async def test_the_counts_of_abandoned_calls_begin_anew_after_thirty_days(store: Store) -> None:
    record, leads = await campaign(store, 3)
    lost = verdict(disposition="failed", abandoned=True, hold_from=2)
    await settled(store, record, leads[0], "out-0", lost)
    later = NOW + PERIOD
    assert await settled(store, record, leads[1], "out-1", lost, later) == Settlement(None, held=False)
    left = await store.campaigns.get(record.id)
    assert (left.answered, left.abandoned, left.period_from) == (1, 1, later)


async def test_progress_tells_who_talks_and_what_came_of_those_that_are_done(store: Store) -> None:
    record, leads = await campaign(store, 5)
    await settled(store, record, leads[0], "out-0", verdict("busy", "not_reached"))
    await settled(store, record, leads[1], "out-1", verdict())
    for number in (2, 3):
        assert await store.campaigns.claim(record.id, leads[number], f"out-{number}", NOW)
        await store.calls.begin(outbound(f"out-{number}", f"+121255501{number:02d}"))
    await store.calls.answered("out-3", NOW)
    progress = await store.campaigns.progress(record.id)
    assert (progress.waiting, progress.dialling, progress.talking) == (1, 1, 1)
    assert progress.done == {"not_reached": 1, "callback": 1}
    assert progress.line_results == {"busy": 1, "answered": 1}


async def test_who_is_forgotten_is_in_no_campaign_and_its_call_settles_nothing(store: Store) -> None:
    record = await store.campaigns.create(NEW, [await lead(store)], NOW)
    ((anna, _),) = await store.campaigns.waiting(record.id)
    assert await store.campaigns.claim(record.id, anna, "out-1", NOW)
    await store.retention.forget(ANNA, NOW)
    assert (await store.campaigns.leads(record.id)).items == ()
    assert await store.campaigns.settle(record.id, anna, "out-1", verdict(), NOW) is None


async def test_who_still_waits_in_a_campaign_is_too_old_only_when_that_is_over(store: Store) -> None:
    record, _ = await campaign(store)
    too_old, later = RetentionPolicy(leads_days=1), NOW + timedelta(days=2)
    assert (await store.retention.apply(too_old, later)).leads == 0
    assert await store.campaigns.change(record.id, CampaignState.STOPPED, among=ALL, now=later)
    assert (await store.retention.apply(too_old, later)).leads == 1
    assert (await store.campaigns.leads(record.id)).items == ()


@pytest.mark.parametrize("state", ALL)
async def test_a_campaign_is_deleted_once_it_is_over(store: Store, state: CampaignState) -> None:
    record, (anna,) = await campaign(store)
    other, _ = await campaign(store)
    assert await store.campaigns.change(record.id, state, among=ALL, now=NOW)
    over = state in (CampaignState.STOPPED, CampaignState.FINISHED)
    assert await store.campaigns.delete(record.id) is over
    assert [one.id for one in (await store.campaigns.page()).items] == [other.id, record.id][: 2 - over]
    assert (await store.leads.get(anna)).id == anna
    assert await store.campaigns.waiting(record.id) == (() if over else ((anna, NOW),))


async def test_a_campaign_that_was_stopped_is_deleted_after_its_last_call_only(store: Store) -> None:
    record, (anna,) = await campaign(store)
    assert await store.campaigns.claim(record.id, anna, "out-1", NOW)
    assert await store.campaigns.change(record.id, CampaignState.STOPPED, among=ALL, now=NOW)
    assert not await store.campaigns.delete(record.id)
    assert await store.campaigns.settle(record.id, anna, "out-1", verdict(), NOW) is not None
    assert await store.campaigns.delete(record.id)
    assert not await store.campaigns.delete(record.id), "it is gone"


async def test_the_standing_counts_the_leads_of_what_goes_on_and_tells_the_worst_share(make_store: MakeStore) -> None:
    async with make_store(server="one") as one, make_store(server="two") as two:
        empty = Standing(dict.fromkeys(CampaignState, 0), dict.fromkeys(LeadState, 0), 0.0)
        assert await one.campaigns.standing() == empty
        bad, leads = await campaign(one, 4)
        good, others = await campaign(one, 4)
        over, _ = await campaign(one, 4)
        await settled(one, bad, leads[0], "out-0", verdict(abandoned=True))
        await settled(one, bad, leads[1], "out-1", verdict())
        await settled(one, good, others[0], "out-2", verdict())
        assert await one.campaigns.claim(good.id, others[1], "out-3", NOW)
        assert await one.campaigns.refuse(good.id, others[2], NOW, reason="country", detail="")
        for record, state in ((bad, CampaignState.HELD), (over, CampaignState.STOPPED)):
            assert await one.campaigns.change(record.id, state, among=ALL, now=NOW)
        standing = await one.campaigns.standing()
        assert {state.value: count for state, count in standing.campaigns.items() if count} == {
            "running": 1,
            "held": 1,
            "stopped": 1,
        }
        assert standing.leads == {"waiting": 3, "dialling": 1, "done": 3, "refused": 1}
        assert standing.abandoned_share == 0.5
        assert await two.campaigns.standing() == empty


async def test_a_server_runs_its_own_campaigns_only(make_store: MakeStore) -> None:
    async with make_store(server="one") as one, make_store(server="two") as two:
        record, (anna,) = await campaign(one)
        assert await one.campaigns.claim(record.id, anna, "out-1", NOW)
        assert await two.campaigns.running() == ()
        assert await two.campaigns.with_claims() == ()
        assert await one.campaigns.with_claims() == (record.id,)
        assert (await two.campaigns.page()).items == (record,)


async def test_who_is_a_lead_already_is_enlisted_as_he_is(store: Store) -> None:
    anna = await lead(store)
    drafts = [LeadDraft(f"Lead {number}", f"+1212555{number:04d}") for number in range(120)]
    leads = await store.leads.enlist([LeadDraft("Somebody", ANNA), *drafts, drafts[0]], NOW)
    assert leads[0] == anna
    assert leads[1] == leads[-1]
    assert len(set(leads)) == 121
    assert (await store.leads.get(anna)).draft.name == "Anna Miller"
    assert (await store.leads.get(leads[100])).created_at - NOW == timedelta(0)
