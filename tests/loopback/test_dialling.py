"""Calls that the agent places: the law, the line, and what comes of each; over real sockets, with Twilio's twin."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from telephony_agent.carrier.twilio_rest import Patience
from telephony_agent.live.last_words import LastWords
from telephony_agent.live.playbook_shelf import PlaybookShelf
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.simulator import Behaviour
from telephony_agent.simulator.dialling import DialPace
from telephony_agent.simulator.faults import CallbackFault, Faults
from telephony_agent.simulator.rest_faults import RequestKind, RestFault, RestFaults
from tests.loopback.agent import PLAYBOOK
from tests.loopback.client import wait_for
from tests.loopback.dialled import NIGHT, World, dialling, lead, parts, run
from tests.simulator.calls import QUICK
from tests.simulator.twin import ABSENT, BUSY, DECLINES, NOWHERE, PERSON, SHORT

pytestmark = pytest.mark.long


def test_a_person_who_answers_is_talked_to(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            told = await world.call_to(PERSON)
        assert told["direction"] == "outbound"
        assert told["call_id"].startswith("out-")
        assert told["call_sid"].startswith("CA")
        assert told["outcome"]["line_result"] == "answered"
        assert told["greeting"]["heard"].startswith("Hi, this is Ava")

    run(story)


@pytest.mark.parametrize(
    ("number", "line", "disposition"),
    [
        (BUSY, "busy", "not_reached"),
        (DECLINES, "busy", "not_reached"),
        (ABSENT, "no_answer", "not_reached"),
        (NOWHERE, "failed", "failed"),
    ],
)
def test_nobody_to_talk_to_is_told_as_the_line_has_it(tmp_path: Path, number: str, line: str, disposition: str) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            told = await world.call_to(number)
        assert (told["outcome"]["line_result"], told["outcome"]["disposition"]) == (line, disposition)
        assert told["state"] == "ended"
        assert told["turns"] == []

    run(story)


def test_what_the_law_forbids_never_rings(tmp_path: Path) -> None:
    async def refusal(world: World, phone: str, **changes: object) -> str:
        answer = await world.here(world.dialler.dial(lead(phone, **changes)))
        assert not answer.placed
        assert answer.detail
        assert not answer.call_id
        return answer.reason

    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            assert await refusal(world, PERSON, consent=None) == "no_consent"
            assert await refusal(world, "+19005550123") == "premium"
            assert await refusal(world, "+14165550123") == "country"
            assert await refusal(world, "") == "not_a_number"
            store = world.agent.site.store
            assert store is not None
            await world.here(store.do_not_call.add(PERSON, world.now, "test"))
            assert await refusal(world, PERSON) == "do_not_call"
            world.now = NIGHT
            assert await refusal(world, BUSY) == "outside_hours"
            assert not world.exchange.records

    run(story)


def test_a_number_that_comes_on_the_list_while_it_rings_rings_no_more(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path), twin={"pace": DialPace(dial_ms=0, ring_ms=20_000, webhook_ms=0)}) as world:
            rings = await world.here(world.dialler.dial(lead(ABSENT)))
            answer = await world.asks("POST", "/do-not-call", json={"number": ABSENT, "reason": "by letter"})
            assert answer.status_code == 201
            outcome = await world.here(world.dialler.finished(rings.call_id))
            assert (outcome.line_result, outcome.disposition) == ("no_answer", "not_reached")
            again = await world.here(world.dialler.dial(lead(ABSENT)))
            assert again.reason == "do_not_call"

    run(story)


def test_nobody_is_rung_who_is_being_rung(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path), twin={"pace": DialPace(dial_ms=0, ring_ms=2000, webhook_ms=0)}) as world:
            rings = await world.here(world.dialler.dial(lead(ABSENT)))
            other = await world.here(world.dialler.dial(lead(ABSENT)))
            assert (other.placed, other.reason) == (False, "on_the_line")
            await world.here(world.dialler.finished(rings.call_id))
            assert len(world.exchange.records) == 1

    run(story)


def test_the_day_s_attempts_and_the_cap_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path), terms={"daily_cap": 4}) as world:
            for _ in range(3):
                await world.call_to(BUSY)
            again = await world.here(world.dialler.dial(lead(BUSY)))
            assert again.reason == "too_many_attempts"
            await world.call_to(DECLINES)
            one_more = await world.here(world.dialler.dial(lead(NOWHERE)))
            assert one_more.reason == "daily_cap"
            assert len(world.exchange.records) == 4

    run(story)


def test_what_the_carrier_refuses_is_concluded_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path), terms={"caller_id": "+12125550177"}) as world:
            answer = await world.here(world.dialler.dial(lead(PERSON)))
            assert answer.reason == "carrier_rejected"
            assert "0177" not in answer.detail
            outcome = await world.here(world.dialler.finished(answer.call_id))
            assert (outcome.line_result, outcome.disposition) == ("failed", "failed")

    run(story)


def test_where_all_places_are_taken_nobody_is_rung(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path, max_calls=1), twin={}) as world:
            first = await world.here(world.dialler.dial(lead(ABSENT)))
            second = await world.here(world.dialler.dial(lead(PERSON)))
            assert second.reason == "no_place"
            await world.here(world.dialler.finished(first.call_id))
            assert len(world.exchange.records) == 1

    run(story)


def test_the_api_dials_and_says_why_not(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            consent = {"text": "Call me.", "given_at": "2026-06-01T12:00:00Z"}
            anna = {"name": "Anna", "phone": BUSY, "zone": "America/New_York"}
            started = await world.asks(
                "POST", "/sales/start-call", json={"channel": "phone", "lead": anna | {"consent": consent}}
            )
            assert started.status_code == 202, started.text
            await world.here(world.dialler.finished(started.json()["call_id"]))
            refused = await world.asks("POST", "/sales/start-call", json={"channel": "phone", "lead": anna})
            assert (refused.status_code, refused.json()["reason"]) == (422, "no_consent")
            world.now = NIGHT
            late = await world.asks(
                "POST", "/sales/start-call", json={"channel": "phone", "lead": anna | {"consent": consent}}
            )
            assert (late.status_code, late.json()["reason"]) == (409, "outside_hours")
            unknown = await world.asks("POST", "/sales/start-call", json={"channel": "phone", "lead_id": 99})
            assert unknown.status_code == 404
            neither = await world.asks("POST", "/sales/start-call", json={"channel": "phone"})
            assert neither.status_code == 422

    run(story)


def test_a_stored_lead_is_dialled_by_what_is_stored(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            stored = {
                "name": "Anna",
                "phone": BUSY,
                "zone": "America/New_York",
                "consent": {"basis": "written", "text": "Call me.", "at": "2026-06-01T12:00:00Z"},
            }
            added = (await world.asks("POST", "/leads", json=stored)).json()
            by_id = await world.asks("POST", "/sales/start-call", json={"channel": "phone", "lead_id": added["id"]})
            by_number = await world.asks(
                "POST", "/sales/start-call", json={"channel": "phone", "lead": {"name": "?", "phone": BUSY}}
            )
            for started in (by_id, by_number):
                assert started.status_code == 202, started.text
                await world.here(world.dialler.finished(started.json()["call_id"]))
            told = (await world.asks("GET", "/calls")).json()["calls"]
            assert {call["call_id"] for call in told} == {one.json()["call_id"] for one in (by_id, by_number)}
            assert {call["lead_id"] for call in told} == {added["id"]}
            lead_now = (await world.asks("GET", f"/leads/{added['id']}")).json()
            assert lead_now["last_outcome"] == "not_reached"

    run(story)


@pytest.mark.parametrize("order", list(CallbackFault), ids=lambda fault: fault.value)
def test_callbacks_in_any_order_come_to_one_outcome(tmp_path: Path, order: CallbackFault) -> None:
    async def story() -> None:
        behaviour = Behaviour(Faults(callbacks=order), QUICK)
        async with dialling(parts(tmp_path), twin={"behaviour": behaviour}) as world:
            busy, talked = await world.call_to(BUSY), await world.call_to(SHORT)
            store = world.agent.site.store
            assert store is not None
            remembered = await world.here(store.history.page())
        assert busy["outcome"]["line_result"] == "busy"
        assert talked["outcome"]["disposition"] == "hung_up"
        assert len(remembered.items) == 2
        assert not any(call.live for call in remembered.items)

    run(story)


@pytest.mark.parametrize("fault", [RestFault.TIMEOUT_AFTER, RestFault.CUT_AFTER, RestFault.CUT_BEFORE])
def test_an_unclear_answer_rings_once_and_gets_the_outcome_of_the_line(tmp_path: Path, fault: RestFault) -> None:
    async def story() -> None:
        faults = RestFaults(shares={RequestKind.CREATE_CALL: {fault: 1.0}}, hold_ms=50)
        patience = Patience(pauses_s=(0.01,), look_pauses_s=(0.05, 0.05))
        quick = {"ring_timeout_s": 1, "patience_s": 0.2}
        async with dialling(parts(tmp_path), terms=quick, patience=patience, twin={"rest_faults": faults}) as world:
            told = await world.call_to(BUSY)
            assert len(world.exchange.records) == (fault is not RestFault.CUT_BEFORE)
        expected = "failed" if fault is RestFault.CUT_BEFORE else "busy"
        assert told["outcome"]["line_result"] == expected

    run(story)


def test_a_server_that_died_gets_the_carrier_s_word_on_what_it_had_placed(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path), twin={"pace": DialPace(dial_ms=0, ring_ms=2000, webhook_ms=0)}) as world:
            rings = await world.here(world.dialler.dial(lead(ABSENT)))
            busy = await world.call_to(BUSY)
            store = world.agent.site.store
            assert store is not None
            await world.here(store.recorder.flush())
            told = await world.here(store.history.transcript(rings.call_id))
            words = LastWords(PlaybookShelf(SalesDesk(PLAYBOOK), store), world.carrier)
            outcome = await words.retell(told)
            assert outcome is not None
            assert (outcome.line_result, outcome.disposition) == ("no_answer", "not_reached")
            outcome = await words.retell(await world.here(store.history.transcript(busy["call_id"])))
            assert outcome is not None
            assert outcome.line_result == "busy"
            nobody = await LastWords(PlaybookShelf(SalesDesk(PLAYBOOK), store), None).retell(told)
            assert nobody is not None
            assert nobody.line_result == "failed"
            await world.here(world.dialler.finished(rings.call_id))

    run(story)


def test_a_drain_hangs_up_what_rings(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path), twin={"pace": DialPace(dial_ms=0, ring_ms=6000, webhook_ms=0)}) as world:
            rings = await world.here(world.dialler.dial(lead(PERSON)))
            await world.here(world.dialler.close())
            outcome = await world.here(world.dialler.finished(rings.call_id))
            assert outcome.disposition in ("not_reached", "failed")
            (call,) = world.exchange.calls()
            assert call.record.status in ("canceled", "queued", "ringing")
            assert (await world.here(world.dialler.dial(lead(BUSY)))).reason == "no_place"

    run(story)


def test_a_call_that_is_being_placed_when_the_server_stops_does_not_ring_on(tmp_path: Path) -> None:
    async def story() -> None:
        twin = {
            "pace": DialPace(dial_ms=0, ring_ms=6000, webhook_ms=0),
            "rest_faults": RestFaults(planned={RequestKind.CREATE_CALL: [RestFault.DELAY]}, delay_ms=300),
        }
        async with dialling(parts(tmp_path), twin=twin) as world:
            switchboard = world.agent.site.switchboard
            assert switchboard is not None
            dial = asyncio.create_task(world.here(world.dialler.dial(lead(PERSON))))
            await asyncio.to_thread(wait_for, lambda: any(call.book for call in switchboard.ringing()))
            await world.here(world.dialler.close())
            await asyncio.gather(dial, return_exceptions=True)
            await world.carrier.aclose()
            (call,) = world.exchange.calls()
            assert call.record.status == "canceled"

    run(story)


def test_who_answers_while_the_server_hangs_up_in_vain_is_talked_to(tmp_path: Path) -> None:
    async def story() -> None:
        twin = {
            "pace": DialPace(dial_ms=0, ring_ms=150, webhook_ms=0),
            "rest_faults": RestFaults(planned={RequestKind.UPDATE_CALL: [RestFault.ERROR_503] * 2}),
        }
        patience = Patience(pauses_s=(0.25,), look_pauses_s=(0.05,))
        async with dialling(parts(tmp_path), patience=patience, twin=twin) as world:
            answer = await world.here(world.dialler.dial(lead(PERSON)))
            await world.here(world.dialler.close())
            outcome = await world.here(world.dialler.finished(answer.call_id))
            assert outcome.line_result == "answered"

    run(story)
