"""Twilio's control plane against a small Twilio on a loopback socket: what is repeated, told, and kept secret."""

from __future__ import annotations

import asyncio
import logging
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from telephony_agent.carrier.carrier import Carrier, VoiceRoute
from telephony_agent.carrier.twilio_errors import ADVICE
from telephony_agent.carrier.twilio_http import HttpLimits
from telephony_agent.carrier.twilio_rest import TwilioCarrier
from telephony_agent.errors import CarrierError, CarrierRejected, CarrierUnreachable, LocalProtocolError, SettingError
from telephony_agent.settings import Settings, TwilioSettings
from tests.carrier.line import BASE, DIAL, UNCLEAR, Line
from tests.carrier.twilio_server import AGENT, CALLEE, SID, TOKEN, Step

# Repeats


def test_too_many_requests_are_repeated_as_late_as_twilio_asks(line: Line) -> None:
    line.world.retry_after = "3"
    line.world.then(Step.TOO_MANY, Step.TOO_MANY)
    assert line.create().sid == line.world.calls[0]["sid"]
    assert line.pauses == [3.0, 3.0]
    assert len(line.world.calls) == 1


def test_a_pause_that_is_too_long_is_an_error_at_once(line: Line) -> None:
    line.world.retry_after = "3600"
    line.world.then(Step.TOO_MANY)
    with pytest.raises(CarrierRejected, match="20429"):
        line.create()
    assert line.pauses == []


def test_repeats_are_bounded(line: Line) -> None:
    line.world.then(*[Step.TOO_MANY] * 4)
    with pytest.raises(CarrierRejected, match="too many requests at once"):
        line.create()
    assert line.pauses == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("step", [*UNCLEAR, Step.DONE_GARBAGE])
def test_reading_is_repeated_and_never_unclear(line: Line, step: Step) -> None:
    sid = line.world.add_call()
    line.world.then(step, step)
    assert line.run(lambda carrier: carrier.fetch(sid)).status == "in-progress"
    line.world.then(*[step] * 4)
    with pytest.raises(CarrierUnreachable) as unreachable:
        line.run(lambda carrier: carrier.fetch(sid))
    assert not unreachable.value.unclear


def test_hanging_up_is_repeated_until_the_call_is_over(line: Line) -> None:
    sid = line.world.add_call()
    line.world.then(Step.DONE_CUT)
    assert line.run(lambda carrier: carrier.hang_up(sid)).is_over
    assert line.world.asked("POST") == [f"/Calls/{sid}.json"] * 2


def test_a_redirect_is_not_repeated_where_it_may_have_been_done(line: Line) -> None:
    sid = line.world.add_call()
    line.world.then(Step.DONE_CUT)
    with pytest.raises(CarrierUnreachable) as unreachable:
        line.run(lambda carrier: carrier.redirect(sid, url=f"{BASE}/twilio/transfer"))
    assert unreachable.value.unclear
    assert len(line.world.seen) == 1


def test_a_call_is_redirected_to_a_url_or_to_a_document(line: Line) -> None:
    sid = line.world.add_call()
    line.run(lambda carrier: carrier.redirect(sid, url=f"{BASE}/twilio/transfer"))
    line.run(lambda carrier: carrier.redirect(sid, twiml="<Response/>"))
    url, document = (seen.fields for seen in line.world.seen)
    assert url == {"Url": [f"{BASE}/twilio/transfer"], "Method": ["POST"]}
    assert document == {"Twiml": ["<Response/>"]}
    for wrong in ({}, {"url": BASE, "twiml": "<Response/>"}, {"twiml": "x" * 4001}):
        with pytest.raises(LocalProtocolError):
            line.run(lambda carrier, wrong=wrong: carrier.redirect(sid, **wrong))  # type: ignore[misc]


# Finding, numbers, recordings


def test_calls_are_found_by_their_numbers_and_their_age(line: Line) -> None:
    line.world.add_call(age_s=60)
    recent = line.world.add_call(status="completed", duration="12", answered_by="human")
    since = datetime.now(UTC) - timedelta(seconds=30)
    (found,) = line.run(lambda carrier: carrier.find(to_number=CALLEE, from_number=AGENT, since=since))
    assert (found.sid, found.duration_s, found.answered_by, found.is_over) == (recent, 12, "human", True)


def test_a_number_is_configured_and_told_as_twilio_made_it(line: Line) -> None:
    sid = line.world.add_number(AGENT, trunk_sid="TK1")
    line.world.add_number(f"{AGENT}1")
    route = VoiceRoute(f"{BASE}/twilio/voice", fallback_url=f"{BASE}/f", status_url=f"{BASE}/s")

    async def configured(carrier: Carrier) -> None:
        found = await carrier.number(AGENT)
        assert found is not None
        assert (found.sid, found.route.trunk_sid, len(await carrier.numbers())) == (sid, "TK1", 2)
        assert await carrier.configure_number(sid, route) == replace(found, route=route)
        assert await carrier.number("+12125550100") is None

    line.run(configured)
    assert line.world.numbers[0]["voice_url"] == f"{BASE}/twilio/voice"


def test_an_application_is_put_back_without_touching_the_trunk(line: Line) -> None:
    sid = line.world.add_number(AGENT)
    line.run(lambda carrier: carrier.configure_number(sid, VoiceRoute("", application_sid="AP1")))
    form = line.world.seen[0].fields
    assert form["VoiceApplicationSid"] == ["AP1"]
    assert "TrunkSid" not in form
    assert form["VoiceUrl"] == [""]


def test_recordings_are_listed_and_deleting_one_twice_is_fine(line: Line) -> None:
    line.world.recordings = [
        {"sid": "RE1", "call_sid": "CA1", "status": "completed", "duration": "7"},
        {"sid": "RE2", "call_sid": "CA1", "status": "processing", "duration": "-1"},
    ]

    async def deleted(carrier: Carrier) -> list[int | None]:
        lengths = [recording.duration_s for recording in await carrier.recordings("CA1")]
        line.world.then(Step.DONE_CUT)
        await carrier.delete_recording("RE1")
        await carrier.delete_recording("RE1")
        return lengths

    assert line.run(deleted) == [7, None]
    assert [recording["sid"] for recording in line.world.recordings] == ["RE2"]


# Errors, secrets, settings


def test_a_known_code_says_what_to_do_and_an_unknown_one_is_told_without_numbers(line: Line) -> None:
    sid = f"CA{'1234567890' * 3}12"
    with pytest.raises(CarrierRejected, match="Twilio error 20404: Twilio has no such call"):
        line.run(lambda carrier: carrier.fetch(sid))
    line.world.refusal = {"code": 29999, "message": f"No {CALLEE}, (212) 555-0142, %2B12125550142 in\n{SID} or {sid}"}
    line.world.then(Step.BAD)
    with pytest.raises(CarrierRejected) as refused:
        line.create()
    assert str(refused.value) == f"Twilio error 29999: No …0142, (…0142, …0142 in AC… or {sid}"


def test_an_error_of_the_newer_shape_is_read(line: Line) -> None:
    line.world.refusal = {
        "type": "https://x.example",
        "title": "No",
        "detail": "Not today",
        "code": 29998,
        "status": 403,
    }
    line.world.then(Step.BAD)
    with pytest.raises(CarrierRejected, match="Twilio error 29998: Not today"):
        line.create()


def test_every_advice_is_one_line_that_ends_without_a_full_stop() -> None:
    assert not [code for code, text in ADVICE.items() if "\n" in text or text.endswith(".") or not text]


def test_wrong_credentials_name_the_settings(line: Line) -> None:
    other = TwilioSettings.model_validate({"account_sid": SID, "auth_token": "another one"})

    async def asked() -> None:
        carrier = TwilioCarrier(other, line.url)
        try:
            with pytest.raises(CarrierRejected, match="TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"):
                await carrier.numbers()
        finally:
            await carrier.aclose()

    asyncio.run(asked())


@pytest.mark.parametrize("missing", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"])
def test_missing_credentials_are_named(missing: str) -> None:
    given = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": TOKEN, missing: ""}
    account = TwilioSettings.model_validate(
        {"account_sid": given["TWILIO_ACCOUNT_SID"], "auth_token": given["TWILIO_AUTH_TOKEN"]}
    )
    with pytest.raises(SettingError, match=f"^{missing}: not set"):
        TwilioCarrier(account, "https://api.twilio.com")


@pytest.mark.parametrize("step", [*UNCLEAR, Step.BAD, Step.TOO_MANY])
def test_no_error_and_no_log_holds_a_secret_or_a_whole_number(
    line: Line, step: Step, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    line.world.refusal = {"code": 29999, "message": f"{CALLEE} {SID}", "status": 400}
    line.world.then(*[step] * 12)
    with pytest.raises(CarrierError) as failed:
        line.create()
    told = "".join(traceback.format_exception(failed.value)) + caplog.text + repr(DIAL)
    for secret in (CALLEE, CALLEE[1:], AGENT, TOKEN, SID):
        assert secret not in told


def test_a_redirect_of_http_is_not_followed_with_the_credentials(line: Line) -> None:
    line.world.then(*[Step.MOVED] * 4)
    with pytest.raises(CarrierUnreachable, match="HTTP 302"):
        line.run(lambda carrier: carrier.numbers())
    assert len(line.world.seen) == 4


def test_requests_do_not_hold_up_the_event_loop(line: Line) -> None:
    line.world.then(Step.SLOW)

    async def beside(carrier: Carrier) -> None:
        asking = asyncio.create_task(carrier.numbers())
        await asyncio.to_thread(line.world.asked_once.wait)
        assert not asking.done()
        line.world.release()
        await asking

    line.run(beside, HttpLimits())


@pytest.mark.parametrize(
    "url", ["http://api.example", "api.example", "ftp://127.0.0.1", "https://u:p@x.example", "https://x.example?a=b"]
)
def test_the_api_is_only_asked_where_nobody_reads_along(url: str) -> None:
    with pytest.raises(SettingError, match=r"^AGENT_TWILIO_API_URL=.*allowed: an https:// address"):
        Settings(AGENT_TWILIO_API_URL=url)


def test_another_api_may_be_named() -> None:
    assert Settings(AGENT_TWILIO_API_URL="http://127.0.0.1:9000/").server.twilio_api_url == "http://127.0.0.1:9000"
