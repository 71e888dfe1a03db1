"""Calls: written as they go, ended once, and ended for them where the server died."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from telephony_agent.store import (
    Consent,
    EventRecord,
    NewCall,
    Outcome,
    PhraseRecord,
    Store,
    Transcript,
    TurnRecord,
    UnknownRecord,
)

from .conftest import MakeStore
from .stage import ANNA, NOW, at, lead, outbound, outcome

pytestmark = pytest.mark.anyio
CARD = "4111 1111 1111 1111"


async def test_a_call_is_live_until_it_has_its_outcome(store: Store) -> None:
    await store.calls.begin(outbound())
    assert (await store.history.call("CA1")).live
    assert await store.calls.finish("CA1", outcome())
    record = await store.history.call("CA1")
    assert record.outcome == outcome()


async def test_beginning_twice_changes_nothing(store: Store) -> None:
    await store.calls.begin(outbound())
    await store.calls.finish("CA1", outcome())
    await store.calls.begin(outbound(after_s=5))
    record = await store.history.call("CA1")
    assert not record.live
    assert record.call.started_at == NOW


async def test_the_second_outcome_of_a_call_is_refused(store: Store) -> None:
    await store.calls.begin(outbound())
    assert await store.calls.finish("CA1", outcome("callback"))
    assert not await store.calls.finish("CA1", outcome("hung_up"))
    record = await store.history.call("CA1")
    assert record.outcome is not None
    assert record.outcome.disposition == "callback"
    assert await store.deliveries.pending() == 1


async def test_an_opt_out_of_a_second_outcome_is_kept(store: Store) -> None:
    await store.calls.begin(outbound())
    await store.calls.finish("CA1", outcome("hung_up"))
    assert not await store.calls.finish("CA1", outcome("do_not_call", opted_out=True))
    record = await store.history.call("CA1")
    assert record.outcome is not None
    assert record.outcome.disposition == "hung_up"
    assert record.opted_out
    assert await store.do_not_call.contains(ANNA)


async def test_an_outcome_needs_a_disposition(store: Store) -> None:
    await store.calls.begin(outbound())
    with pytest.raises(ValueError, match="needs its disposition"):
        await store.calls.finish("CA1", outcome(""))
    assert (await store.history.call("CA1")).live


async def test_an_opt_out_counts_at_once_and_once(store: Store) -> None:
    await store.calls.begin(outbound())
    await store.calls.opt_out("CA1", at(3), "take me off your list")
    await store.calls.opt_out("CA1", at(4), "take me off your list")
    assert await store.do_not_call.contains(ANNA)
    assert (await store.history.call("CA1")).opted_out
    kinds = [entry.kind for entry in await store.compliance.entries()]
    assert kinds == ["opt_out", "do_not_call_added"]


async def test_an_opt_out_counts_even_if_the_call_is_unknown(store: Store) -> None:
    await store.calls.opt_out("CA9", NOW, "stop", number=ANNA)
    assert await store.do_not_call.contains(ANNA)
    with pytest.raises(UnknownRecord):
        await store.calls.opt_out("CA9", NOW, "stop")


async def test_an_opt_out_of_a_withheld_number_is_noted_without_one(store: Store) -> None:
    await store.calls.begin(NewCall("CA1", "inbound", NOW, number="anonymous"))
    await store.calls.begin(NewCall("CA2", "inbound", NOW))
    await store.calls.opt_out("CA2", NOW, "stop")
    assert (await store.history.call("CA2")).opted_out
    assert (await store.do_not_call.page()).items == ()


async def test_the_lead_learns_the_outcome_and_the_callback(store: Store) -> None:
    anna = await lead(store)
    await store.calls.begin(outbound(lead_id=anna))
    await store.calls.finish("CA1", outcome("callback"))
    record = await store.leads.get(anna)
    assert record.last_outcome == "callback"
    assert record.next_callback == outcome().next_step


async def test_consent_that_was_given_in_a_call_is_the_leads(store: Store) -> None:
    anna = await lead(store)
    await store.calls.begin(outbound(lead_id=anna))
    consent = Consent("spoken", "Yes, you may call me.", at(20))
    await store.calls.finish("CA1", replace(outcome(), consent=consent))
    assert (await store.leads.get(anna)).draft.consent == consent
    record = await store.history.call("CA1")
    assert record.outcome is not None
    assert record.outcome.consent == consent
    (delivery,) = await store.deliveries.claim(at(60))
    assert delivery.payload["consent"] == {
        "basis": "spoken",
        "text": "Yes, you may call me.",
        "at": at(20).isoformat(),
    }


async def test_a_call_for_a_lead_that_is_gone_is_kept_without_it(store: Store) -> None:
    await store.calls.begin(outbound(lead_id=77))
    assert (await store.history.call("CA1")).call.lead_id is None


async def test_a_turn_is_replaced_as_it_goes_on(store: Store) -> None:
    await store.calls.begin(outbound())
    await store.calls.put_turn("CA1", TurnRecord(1, transcript="hello"))
    whole = TurnRecord(1, "speech", "hello", "Hi, Anna here.", "Hi, Anna", True, 10, 900, {"gap": 420})
    await store.calls.put_turn("CA1", whole)
    assert (await store.history.transcript("CA1")).turns == (whole,)


async def test_the_ledger_says_what_was_heard_and_what_was_not(store: Store) -> None:
    await store.calls.begin(outbound())
    await store.calls.put_phrase("CA1", PhraseRecord(0, 1, "We open at nine."))
    await store.calls.put_phrase("CA1", PhraseRecord(0, 1, "We open at nine.", "We open"))
    (phrase,) = (await store.history.transcript("CA1")).ledger
    assert (phrase.heard, phrase.unheard) == ("We open", "at nine.")


async def test_events_stand_in_order_and_once(store: Store) -> None:
    await store.calls.begin(outbound())
    for position in (1, 0, 1):
        await store.calls.put_event("CA1", EventRecord(position, at(position), "mark", {"n": position, "at": NOW}))
    events = (await store.history.transcript("CA1")).events
    assert [event.data["n"] for event in events] == [0, 1]
    assert events[0].data["at"] == NOW.isoformat()


async def test_what_belongs_to_no_call_is_refused(store: Store) -> None:
    with pytest.raises(UnknownRecord):
        await store.calls.put_turn("CA9", TurnRecord(1))
    with pytest.raises(UnknownRecord):
        await store.calls.finish("CA9", outcome())


async def test_card_numbers_are_stored_nowhere(store: Store, tmp_path: Path) -> None:
    await store.calls.begin(outbound())
    await store.calls.put_turn("CA1", TurnRecord(1, "speech", f"it is {CARD}", f"Is it {CARD}?", CARD))
    await store.calls.put_phrase("CA1", PhraseRecord(0, 1, f"Is it {CARD}?", CARD))
    await store.calls.put_event("CA1", EventRecord(0, NOW, "note", {"texts": [CARD], CARD: "key"}))
    await store.calls.finish("CA1", replace(outcome(), summary=CARD, slots={"card": CARD}))
    transcript = await store.history.transcript("CA1")
    assert "4111" not in repr(transcript)
    assert repr(transcript).count("[card number]") == 9
    assert "4111" not in repr(await store.deliveries.claim(at(9)))


async def test_text_that_a_database_refuses_is_made_fit(store: Store) -> None:
    await store.calls.begin(outbound())
    await store.calls.put_turn("CA1", TurnRecord(1, transcript="a\0b\ud800c"))
    await store.calls.put_event("CA1", EventRecord(0, NOW, "odd", {"x": float("nan"), "y": "\0"}))
    transcript = await store.history.transcript("CA1")
    assert transcript.turns[0].transcript == "ab?c"
    assert transcript.events[0].data == {"x": "nan", "y": ""}


async def test_a_call_is_found_by_the_carriers_name(store: Store) -> None:
    await store.calls.begin(outbound("call-1"))
    await store.calls.placed("call-1", "CA7")
    assert (await store.history.call("CA7")).call.call_id == "call-1"


async def test_recovery_ends_what_was_live(store: Store) -> None:
    for name in ("rang", "talked", "stopped", "ended"):
        await store.calls.begin(outbound(name))
    for name in ("talked", "stopped"):
        await store.calls.answered(name, at(2))
    await store.calls.put_event("talked", EventRecord(0, at(30), "mark"))
    await store.calls.opt_out("stopped", at(5), "stop calling")
    await store.calls.finish("ended", outcome())
    assert set(await store.recover(at(900))) == {"rang", "talked", "stopped"}
    found = {record.call.call_id: record.outcome for record in (await store.history.page()).items}
    dispositions = {name: ended.disposition for name, ended in found.items() if ended}
    assert dispositions == {
        "rang": "failed",
        "talked": "hung_up",
        "stopped": "do_not_call",
        "ended": "meeting_booked",
    }
    assert found["talked"] is not None
    assert found["talked"].ended_at == at(30), "it ended when the last was heard of it"
    assert await store.deliveries.pending() == 4
    assert await store.recover(at(901)) == ()


async def test_recovery_leaves_another_servers_calls_alone(make_store: MakeStore, store: Store) -> None:
    await store.calls.begin(outbound())
    async with make_store(server="other") as other:
        assert await other.recover(at(60)) == ()
    assert (await store.history.call("CA1")).live


async def test_a_number_is_kept_in_one_spelling(store: Store) -> None:
    await store.calls.begin(NewCall("CA1", "inbound", NOW, number="+1 (500) 555-0006"))
    assert (await store.history.call("CA1")).call.number == ANNA


async def test_what_is_retold_of_a_call_that_was_cut_short_is_its_outcome(store: Store) -> None:
    await store.calls.begin(outbound())
    await store.calls.answered("CA1", at(2))
    heard: list[str] = []

    def retold(told: Transcript) -> Outcome:
        heard.append(told.call.call.call_id)
        return outcome("meeting_booked", after_s=999)

    assert await store.recover(at(60), retold) == ("CA1",)
    assert heard == ["CA1"]
    ended = (await store.history.call("CA1")).outcome
    assert ended is not None
    assert ended.disposition == "meeting_booked"
    assert ended.ended_at == at(2), "when the last was heard of it"
    assert ended.summary == "Anna wants a meeting. The server stopped during the call."
    assert ended.next_step == outcome().next_step


async def test_whatever_is_retold_an_opt_out_that_is_written_stands(store: Store) -> None:
    await store.calls.begin(outbound())
    await store.calls.opt_out("CA1", at(3), "stop")
    await store.recover(at(60), lambda _: outcome("meeting_booked"))
    record = await store.history.call("CA1")
    assert record.outcome is not None
    assert (record.outcome.disposition, record.opted_out) == ("do_not_call", True)


async def test_an_opt_out_that_is_only_retold_is_put_on_the_list(store: Store) -> None:
    await store.calls.begin(outbound())
    await store.recover(at(60), lambda _: outcome("do_not_call", opted_out=True))
    assert await store.do_not_call.contains(ANNA)
