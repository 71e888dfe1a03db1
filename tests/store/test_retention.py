"""What is too old goes, and who wants to be forgotten is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telephony_agent.store import (
    CampaignState,
    Deleted,
    EventRecord,
    NewCall,
    NewCampaign,
    PhraseRecord,
    RetentionPolicy,
    Store,
    StoreUnavailable,
    TurnRecord,
    UnknownRecord,
    Verdict,
)

from .stage import ANNA, BEN, NOW, ON_SQLITE, at, ended_call, lead, outbound, outcome

pytestmark = pytest.mark.anyio
DAY = 86_400
SECRET = "the password is swordfish"
MONTH = RetentionPolicy(calls_days=30)
OVER = (CampaignState.STOPPED, CampaignState.FINISHED)


async def remembered(store: Store, name: str = "CA1", number: str = ANNA, *, day: int = 0) -> int:
    """Leave everything that a call can leave; return the lead."""
    person = await lead(store, f"Lead {number}", number)
    call = outbound(name, number, lead_id=person, after_s=day * DAY)
    assert (await store.dialling.reserve_dial(call, zone="UTC", max_attempts=1)).granted
    await store.calls.answered(name, at(day * DAY))
    await store.calls.put_turn(name, TurnRecord(1, transcript=SECRET))
    await store.calls.put_phrase(name, PhraseRecord(0, 1, "Thanks."))
    await store.calls.put_event(name, EventRecord(0, NOW, "mark"))
    recording = store.recordings.open(name)
    recording.inbound(0, b"\x55" * 800)
    recording.close()
    store.recordings.close()
    (file,) = store.recordings.paths(name)
    os.utime(file, times=(at(day * DAY).timestamp(),) * 2)
    await store.calls.finish(name, outcome(after_s=day * DAY + 60))
    return person


async def delivered(store: Store) -> None:
    """Deliver every outcome."""
    for delivery in await store.deliveries.claim(at(1000 * DAY)):
        await store.deliveries.delivered(delivery.id)


async def test_each_kind_is_kept_for_its_days(store: Store) -> None:
    await remembered(store)
    young = await remembered(store, "CA2", BEN, day=50)
    await delivered(store)
    policy = RetentionPolicy(recordings_days=10)
    assert await store.retention.apply(policy, at(55 * DAY)) == Deleted(recordings=1)
    assert store.recordings.paths("CA1") == ()
    policy = RetentionPolicy(transcripts_days=20)
    assert await store.retention.apply(policy, at(55 * DAY)) == Deleted(transcripts=1)
    transcript = await store.history.transcript("CA1")
    assert (transcript.turns, transcript.ledger, transcript.events) == ((), (), ())
    assert transcript.call.outcome is not None
    policy = RetentionPolicy(calls_days=30)
    assert await store.retention.apply(policy, at(55 * DAY)) == Deleted(calls=1)
    policy = RetentionPolicy(leads_days=40)
    assert await store.retention.apply(policy, at(55 * DAY)) == Deleted(leads=1)
    assert [record.id for record in (await store.leads.page()).items] == [young]
    assert len((await store.history.transcript("CA2")).turns) == 1
    assert len(store.recordings.paths("CA2")) == 1


async def test_a_policy_without_days_keeps_everything(store: Store) -> None:
    await remembered(store)
    assert await store.retention.apply(RetentionPolicy(), at(9999 * DAY)) == Deleted()


async def test_a_call_takes_its_recording_along(store: Store) -> None:
    await remembered(store)
    await delivered(store)
    deleted = await store.retention.apply(RetentionPolicy(calls_days=1), at(9 * DAY))
    assert deleted == Deleted(recordings=1, calls=1)


async def test_live_calls_and_outcomes_that_are_owed_stay(store: Store) -> None:
    await store.calls.begin(outbound("live"))
    await ended_call(store, "owed")
    assert await store.retention.apply(RetentionPolicy(0, 0, 0, 0), at(9 * DAY)) == Deleted()
    assert len((await store.history.page()).items) == 2


async def test_a_lead_who_waits_for_our_call_stays(store: Store) -> None:
    anna = await lead(store)
    await store.calls.begin(outbound(lead_id=anna))
    await store.calls.finish("CA1", outcome("callback"))
    assert await store.retention.apply(RetentionPolicy(leads_days=0), at(DAY - 1)) == Deleted()
    assert await store.retention.apply(RetentionPolicy(leads_days=0), at(DAY + 1)) == Deleted(leads=1)


async def campaign(store: Store, state: CampaignState, *, playbook_id: str = "") -> tuple[int, int]:
    """Begin a campaign with Anna, and bring it to a state at ``NOW``; return it and her."""
    anna = (await store.leads.find(ANNA)) or await store.leads.get(await lead(store))
    record = await store.campaigns.create(NewCampaign("spring", 1.0, 0, {}, playbook_id), [anna.id], NOW)
    assert await store.campaigns.change(record.id, state, among=tuple(CampaignState), now=NOW)
    return record.id, anna.id


async def campaigns(store: Store) -> set[int]:
    return {record.id for record in (await store.campaigns.page()).items}


async def test_campaigns_that_are_over_go_with_the_calls_and_no_others_do(store: Store) -> None:
    ids = {state: (await campaign(store, state))[0] for state in CampaignState}
    assert await store.retention.apply(MONTH, at(30 * DAY)) == Deleted()
    assert await store.retention.apply(MONTH, at(30 * DAY + 1)) == Deleted(campaigns=2)
    assert await campaigns(store) == {ids[state] for state in CampaignState if state not in OVER}
    assert (await store.leads.find(ANNA)) is not None


async def test_a_campaign_stays_whose_last_call_ended_after_it_was_stopped(store: Store) -> None:
    stopped, anna = await campaign(store, CampaignState.RUNNING)
    assert await store.campaigns.claim(stopped, anna, "out-1", NOW)
    assert await store.campaigns.change(stopped, CampaignState.STOPPED, among=tuple(CampaignState), now=NOW)
    assert await store.retention.apply(MONTH, at(99 * DAY)) == Deleted(), "its call is not settled"
    said = Verdict("answered", "callback", answered=True, abandoned=False, again_at=lambda _: None, hold=lambda *_: "")
    assert await store.campaigns.settle(stopped, anna, "out-1", said, at(90 * DAY)) is not None
    assert await store.retention.apply(MONTH, at(99 * DAY)) == Deleted()
    assert await store.retention.apply(MONTH, at(121 * DAY)) == Deleted(campaigns=1)


async def test_a_playbook_goes_once_no_call_and_no_campaign_names_it(store: Store) -> None:
    for name in ("called", "planned", "nobody's"):
        await store.playbooks.keep(name, f"persona: {name}", NOW)
    await store.calls.begin(NewCall("CA1", "outbound", NOW, number=ANNA, playbook_id="called"))
    await campaign(store, CampaignState.PAUSED, playbook_id="planned")
    assert await store.retention.apply(MONTH, at(29 * DAY)) == Deleted()
    assert await store.retention.apply(MONTH, at(31 * DAY)) == Deleted(playbooks=1)
    with pytest.raises(UnknownRecord):
        await store.playbooks.get("nobody's")
    await store.calls.finish("CA1", outcome(after_s=31 * DAY))
    await delivered(store)
    assert await store.retention.apply(MONTH, at(62 * DAY)) == Deleted(calls=1, playbooks=1)
    assert await store.playbooks.get("planned") == "persona: planned"


async def test_a_playbook_that_was_just_brought_waits_a_day_for_its_call(store: Store) -> None:
    await store.playbooks.keep("zoe", "persona: Zoe", NOW)
    await store.playbooks.keep("zoe", "persona: Zoe", at(50 * DAY))
    at_once = RetentionPolicy(calls_days=0)
    assert await store.retention.apply(at_once, at(51 * DAY - 1)) == Deleted()
    assert await store.retention.apply(at_once, at(51 * DAY + 1)) == Deleted(playbooks=1)


async def test_without_days_for_calls_campaigns_and_playbooks_stay(store: Store) -> None:
    await campaign(store, CampaignState.STOPPED)
    await store.playbooks.keep("zoe", "persona: Zoe", NOW)
    assert await store.retention.apply(RetentionPolicy(0, 0, None, None), at(999 * DAY)) == Deleted()


async def test_forgetting_leaves_only_the_do_not_call_entry(store: Store) -> None:
    anna = await remembered(store)
    ben = await remembered(store, "CA2", BEN)
    await store.do_not_call.add(ANNA, NOW, "e-mail of Anna Miller")
    assert await store.retention.forget("+1 500 555 0006", at(70)) == Deleted(1, 1, 1, 1, 2)
    assert await store.leads.find(ANNA) is None
    assert [record.call.call_id for record in (await store.history.page()).items] == ["CA2"]
    assert await store.dialling.attempts_on(NOW.date(), ANNA, anna) == 0
    assert store.recordings.paths("CA1") == ()
    assert [delivery.call_id for delivery in await store.deliveries.claim(at(70))] == ["CA2"]
    (entry,) = (await store.do_not_call.page()).items
    assert (entry.number, entry.source) == (ANNA, "")
    assert (await store.compliance.verify()).intact
    assert (await store.leads.get(ben)).draft.phone == BEN
    assert len(store.recordings.paths("CA2")) == 1


async def test_forgetting_finds_the_calls_of_a_lead_who_had_another_number(store: Store) -> None:
    anna = await lead(store, phone=BEN)
    await store.calls.begin(outbound("CA1", BEN, lead_id=anna))
    draft = (await store.leads.get(anna)).draft
    await store.leads.update(anna, type(draft)(draft.name, ANNA), NOW)
    assert (await store.retention.forget(ANNA, NOW)).calls == 1


async def test_who_was_never_known_can_be_forgotten(store: Store) -> None:
    assert await store.retention.forget(ANNA, NOW) == Deleted()
    assert (await store.do_not_call.page()).items == ()


@ON_SQLITE
async def test_nothing_of_a_forgotten_person_is_left_in_the_files(store: Store, tmp_path: Path) -> None:
    await remembered(store)
    assert SECRET.encode() in all_bytes(tmp_path)
    await store.retention.forget(ANNA, NOW)
    assert SECRET.encode() not in all_bytes(tmp_path)
    assert ANNA.encode() not in all_bytes(tmp_path)


def all_bytes(folder: Path) -> bytes:
    """Read what the database's files hold."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_a_recording_that_cannot_be_deleted_keeps_the_rest(store: Store, tmp_path: Path) -> None:
    await remembered(store)
    (file,) = store.recordings.paths("CA1")
    file.unlink()
    file.mkdir()
    with pytest.raises(StoreUnavailable, match=r"CA1\.wav can't be deleted"):
        await store.retention.forget(ANNA, NOW)
    assert await store.leads.find(ANNA) is not None
    file.rmdir()
    assert (await store.retention.forget(ANNA, NOW)).calls == 1
