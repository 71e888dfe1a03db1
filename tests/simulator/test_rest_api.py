"""What the twin's REST API answers, told by the official client: resources, refusals, pages."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from telephony_agent.simulator.exchange import Exchange
from telephony_agent.simulator.rest_error import RestError
from telephony_agent.simulator.rest_order import Fields
from telephony_agent.simulator.twin_settings import Limits, TwinAccount, TwinSettings
from tests.simulator.calls import greets_and_closes, listens, run
from tests.simulator.scripted_agent import PUBLIC, TOKEN
from tests.simulator.twin import (
    ABSENT,
    BUSY,
    OURS,
    PERSON,
    SETTINGS,
    client_of,
    closing,
    over,
    refused,
    story,
)

URL = f"{PUBLIC}/twilio/voice"


def with_account(**changes: Any) -> TwinSettings:
    return replace(SETTINGS, account=replace(SETTINGS.account, **changes))


# Who may ask


def test_only_the_accounts_own_credentials_are_let_in() -> None:
    async def tale() -> None:
        async with story(listens, settings=with_account(api_keys={"SK1": "key"})) as it:
            stranger, key = client_of(it.url, token="wrong"), Client("SK1", "key", SETTINGS.account.account_sid)
            key.api.base_url = it.url
            try:
                with pytest.raises(TwilioRestException) as caught:
                    await asyncio.to_thread(stranger.calls("CA0").fetch)
                assert await asyncio.to_thread(key.calls.list) == []
            finally:
                closing(stranger)
                closing(key)
        assert (caught.value.status, caught.value.code) == (401, 20003)

    run(tale())


def test_a_refusal_has_twilios_body() -> None:
    async def tale() -> None:
        path = f"/2010-04-01/Accounts/{SETTINGS.account.account_sid}/Calls/CA0.json"
        async with story(listens) as it, httpx.AsyncClient(base_url=it.url, trust_env=False) as client:
            unknown = await client.get(path)
            missing = await client.get(path, auth=(SETTINGS.account.account_sid, TOKEN))
            elsewhere = await client.get(path.replace("Calls", "Messages"), auth=(SETTINGS.account.account_sid, TOKEN))
        assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, 'Basic realm="Twilio API"')
        assert missing.json() == {
            "code": 20404,
            "message": f"The requested resource {path} was not found",
            "more_info": "https://www.twilio.com/docs/errors/20404",
            "status": 404,
        }
        assert elsewhere.json()["code"] == 20404

    run(tale())


# Orders that are refused


@pytest.mark.parametrize(
    ("order", "number"),
    [
        ({"To": ""}, 21201),
        ({"From": ""}, 21213),
        ({"Url": ""}, 21205),
        ({"Url": "ftp://agent.example"}, 21205),
        ({"To": "+1"}, 21211),
        ({"From": "+12125550199"}, 21210),
        ({"To": "+15005550001"}, 21217),
        ({"To": "+15005550002"}, 21214),
        ({"To": "+15005550003"}, 21215),
        ({"To": "+15005550004"}, 21216),
        ({"To": "+14155550199"}, 21215),
        ({"To": "+12125550188"}, 21216),
        ({"To": "+12125550177"}, 21219),
        ({"Timeout": "601"}, 21200),
        ({"SendDigits": "call me"}, 21200),
        ({"StatusCallbackEvent": "picked-up"}, 21200),
        ({"MachineDetection": "Perhaps"}, 21200),
        ({"AsyncAmd": "maybe"}, 21200),
        ({"Url": "", "Twiml": "<Response>" + " " * 4000 + "</Response>"}, 21200),
    ],
)
def test_an_order_that_twilio_would_not_take_is_refused_with_its_number(order: dict[str, str], number: int) -> None:
    settings = with_account(
        verified=frozenset({PERSON, "+12125550188"}), blocked=frozenset({"+12125550188"}), allowed_prefixes=("+1212",)
    )

    async def tale() -> None:
        exchange = Exchange(settings)
        try:
            with pytest.raises(RestError) as caught:
                await exchange.place(Fields({"To": PERSON, "From": OURS, "Url": URL, **order}.items()))
        finally:
            await exchange.close()
        assert (caught.value.number, caught.value.status) == (number, 400)
        assert not exchange.records

    run(tale())


def test_a_refusal_reaches_the_client_with_its_number() -> None:
    async def tale() -> None:
        async with story(listens) as it:
            order = {"to": "+1", "from_": OURS, "url": URL}
            assert await refused(it, lambda client: client.calls.create(**order)) == (400, 21211)

    run(tale())


def test_a_call_that_has_ended_takes_no_update() -> None:
    async def tale() -> None:
        async with story(listens) as it:
            call = await over(await it.dials(BUSY))
            change = lambda client: client.calls(call.record.sid).update(status="completed")  # noqa: E731
            assert await refused(it, change) == (400, 21220)

    run(tale())


def test_an_update_takes_a_url_or_twiml_and_not_both() -> None:
    async def tale() -> None:
        async with story(listens) as it:
            call = await it.dials(ABSENT)
            change = lambda client: client.calls(call.record.sid).update(url=URL, twiml="<Response/>")  # noqa: E731
            assert await refused(it, change) == (400, 21200)

    run(tale())


@pytest.mark.parametrize(
    ("to", "from_", "number"),
    [(PERSON, "+15005550001", 21212), (PERSON, "+12125550199", 21210), ("+15005550002", OURS, 21214)],
)
def test_test_credentials_know_the_magic_numbers(to: str, from_: str, number: int) -> None:
    async def tale() -> None:
        async with story(listens, settings=with_account(is_test=True)) as it:
            order = {"to": to, "from_": from_, "url": URL}
            assert await refused(it, lambda client: client.calls.create(**order)) == (400, number)
            made = await it.asks(lambda client: client.calls.create(to=PERSON, from_=OURS, url=URL))
            assert (made.status, it.agent.requests) == ("queued", [])
            assert await refused(it, lambda client: client.calls(str(made.sid)).fetch()) == (403, 20008)

    run(tale())


# Lists


def test_calls_are_listed_by_what_was_asked_for_the_latest_first() -> None:
    async def tale() -> None:
        async with story(greets_and_closes) as it:
            busy, other = await it.dials(BUSY), await it.dials(PERSON)
            await over(busy)
            await over(other)
            now = datetime.now(UTC)
            asked: list[dict[str, Any]] = [
                {},
                {"to": BUSY},
                {"status": "completed"},
                {"from_": OURS, "start_time_after": now - timedelta(minutes=1)},
                {"start_time_after": now + timedelta(minutes=1)},
                {"start_time_before": now - timedelta(minutes=1)},
                {"to": "+12125550188"},
            ]
            found = [
                [call.sid for call in await it.asks(lambda client, query=query: client.calls.list(**query))]
                for query in asked
            ]
        both = [other.record.sid, busy.record.sid]
        assert found == [both, [busy.record.sid], [other.record.sid], both, [], [], []]

    run(tale())


def test_a_call_that_is_not_dialled_yet_is_in_the_list() -> None:
    async def tale() -> None:
        async with story(listens, settings=replace(SETTINGS, limits=Limits(calls_per_s=0.1))) as it:
            await it.dials(BUSY)
            waiting = await it.dials(PERSON)
            since = datetime.now(UTC) - timedelta(minutes=1)
            listed = await it.asks(lambda client: client.calls.list(to=PERSON, start_time_after=since))
        assert [(call.sid, call.status, call.start_time) for call in listed] == [(waiting.record.sid, "queued", None)]

    run(tale())


def test_lists_come_in_pages() -> None:
    async def tale() -> None:
        async with story(listens) as it:
            calls = [await it.dials(BUSY) for _ in range(5)]
            await asyncio.gather(*map(over, calls))
            listed = await it.asks(lambda client: client.calls.list(page_size=2))
            first = await it.asks(lambda client: client.calls.page(page_size=2))
        assert [call.sid for call in listed] == [call.record.sid for call in reversed(calls)]
        assert first.next_page_url is not None

    run(tale())


# Numbers and recordings


def test_a_number_is_found_pointed_elsewhere_and_given_back() -> None:
    async def tale() -> None:
        async with story(listens) as it:
            (number,) = await it.asks(lambda client: client.incoming_phone_numbers.list(phone_number=OURS))
            assert (number.voice_url, number.voice_method) == ("", "POST")
            resource = lambda client: client.incoming_phone_numbers(str(number.sid))  # noqa: E731
            changed = await it.asks(
                lambda client: resource(client).update(voice_url=URL, voice_method="GET", friendly_name="desk")
            )
            assert (changed.voice_url, changed.voice_method, changed.friendly_name) == (URL, "GET", "desk")
            emptied = await it.asks(lambda client: resource(client).update(voice_url=""))
            assert (emptied.voice_url, emptied.friendly_name) == ("", "desk")
            fetched = await it.asks(lambda client: resource(client).fetch())
            assert (fetched.sid, fetched.phone_number) == (number.sid, OURS)
            assert await it.asks(lambda client: client.incoming_phone_numbers.list(phone_number="+4420")) == []

    run(tale())


def test_a_recorded_call_leaves_a_recording_that_can_be_heard_and_deleted() -> None:
    async def tale() -> None:
        async with story(greets_and_closes) as it:
            call = await over(
                await it.dials(
                    PERSON,
                    record=True,
                    recording_channels="dual",
                    recording_status_callback=f"{PUBLIC}/twilio/recording",
                )
            )
            (listed,) = await it.asks(lambda client: client.recordings.list(call_sid=call.record.sid))
            of_call = await it.asks(lambda client: client.calls(call.record.sid).recordings.list())
            auth = (SETTINGS.account.account_sid, TOKEN)
            async with httpx.AsyncClient(base_url=it.url, trust_env=False, auth=auth) as client:
                wav = await client.get(str(listed.uri).replace(".json", ".wav"))
            await it.asks(lambda client: client.recordings(str(listed.sid)).delete())
            assert await refused(it, lambda client: client.recordings(str(listed.sid)).fetch()) == (404, 20404)
        (form,) = it.forms("recording")
        assert (form["RecordingSid"], form["RecordingStatus"]) == (listed.sid, "completed")
        assert [one.sid for one in of_call] == [listed.sid]
        assert listed.channels == 2
        assert wav.content[:4] == b"RIFF"

    run(tale())


# The twin's own pages


def test_the_twin_shows_its_calls_and_lets_one_come_in() -> None:
    async def tale() -> None:
        async with story(greets_and_closes) as it, httpx.AsyncClient(base_url=it.url, trust_env=False) as client:
            call = await over(await it.dials(PERSON))
            sid = call.record.sid
            overview, page = (await client.get("/twin")).json(), (await client.get("/")).text
            told = (await client.get(f"/twin/calls/{sid}")).json()
            audio = await client.get(f"/twin/calls/{sid}/audio.wav")
            message = await client.get(f"/twin/calls/{sid}/message.wav")
            nowhere = await client.post("/twin/calls", json={"to": OURS, "callee": "busy"})
            unknown = await client.post("/twin/calls", json={"to": OURS, "script": "../secrets"})
            (number,) = it.exchange.numbers.values()
            it.exchange.numbers[number.sid] = replace(number, voice_url=URL)
            incoming = await client.post("/twin/calls", json={"to": OURS, "script": "silent"})
        assert [one["sid"] for one in overview["calls"]] == [sid]
        assert sid in page
        assert told["status"] == "completed"
        assert told["verbs"][0] == "Connect"
        assert any(request["url"] == URL for request in told["requests"])
        assert audio.content[:4] == b"RIFF"
        assert [answer.status_code for answer in (message, nowhere, unknown, incoming)] == [404, 400, 400, 201]

    run(tale())


def test_an_account_is_made_up_where_none_is_given() -> None:
    assert TwinAccount().account_sid != TwinAccount().account_sid
