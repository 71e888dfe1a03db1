"""Who gets in: signatures, tokens, deadlines, shapes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from telephony_agent.simulator.signing import sign
from telephony_agent.web import media
from tests.loopback.agent import API_TOKEN, AUTH_TOKEN, PUBLIC_URL, Agent, Parts, running
from tests.loopback.client import MEDIA_URL, ask_for_stream, call_sid, connected, post

FRESH = count(1000)
VOICE = {"CallSid": call_sid(), "From": "+15005550006", "To": "+15005550006", "CallerCity": ""}


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with running(Parts(max_calls=100, auth_tokens=("the-next-token", AUTH_TOKEN))) as agent:
        yield agent


@pytest.mark.parametrize("path", ["/twilio/voice", "/twilio/stream-ended", "/twilio/status", "/twilio/fallback"])
@pytest.mark.parametrize("signature", [None, "", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="])
def test_a_webhook_without_a_valid_signature_gets_403(agent: Agent, path: str, signature: str | None) -> None:
    headers = {} if signature is None else {"X-Twilio-Signature": signature}
    answer = httpx.post(f"{agent.url}{path}", data=VOICE, headers=headers, trust_env=False)
    assert answer.status_code == 403


def test_a_signature_of_other_fields_is_refused(agent: Agent) -> None:
    signature = sign(f"{PUBLIC_URL}/twilio/voice", tuple((VOICE | {"CallSid": call_sid(2)}).items()), AUTH_TOKEN)
    answer = httpx.post(
        f"{agent.url}/twilio/voice", data=VOICE, headers={"X-Twilio-Signature": signature}, trust_env=False
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("token", [AUTH_TOKEN, "the-next-token"])
def test_while_tokens_are_rotated_both_are_good(agent: Agent, token: str) -> None:
    answer = post(agent, "/twilio/voice", VOICE, token=token)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")


def test_a_huge_form_is_refused(agent: Agent) -> None:
    assert post(agent, "/twilio/voice", VOICE | {"x": "y" * 100_000}).status_code == 413


@pytest.mark.parametrize(
    "signature",
    ["x", sign(MEDIA_URL.replace("wss", "https"), (), AUTH_TOKEN), sign(MEDIA_URL, (), "another token"), ""],
)
def test_an_upgrade_without_a_valid_signature_gets_403(agent: Agent, signature: str) -> None:
    async def scenario() -> None:
        async with connected(agent, call_sid(), signature=signature):
            pass

    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(scenario())
    assert refused.value.response.status_code == 403


def test_a_token_is_good_for_one_stream_of_its_own_call(agent: Agent) -> None:
    async def scenario() -> list[int]:
        codes = []
        parameters = ask_for_stream(agent, call_sid(10))
        ask_for_stream(agent, call_sid(11))
        async with connected(agent, call_sid(11)) as thief:
            await thief.start(parameters)
            codes.append((await thief.closed())[0])
        async with connected(agent, call_sid(10)) as rightful:
            await rightful.start(parameters)
            await rightful.until("media")
            async with connected(agent, call_sid(10)) as second:
                await second.start(parameters)
                codes.append((await second.closed())[0])
            await rightful.stop()
            codes.append((await rightful.closed())[0])
        async with connected(agent, call_sid(10)) as again:
            await again.start(parameters)
            codes.append((await again.closed())[0])
        return codes

    assert asyncio.run(scenario()) == [media.POLICY, media.POLICY, media.NORMAL, media.POLICY]


def test_a_repeated_webhook_makes_the_first_token_void(agent: Agent) -> None:
    async def scenario() -> int:
        first = ask_for_stream(agent, call_sid(12))
        ask_for_stream(agent, call_sid(12))
        async with connected(agent, call_sid(12)) as client:
            await client.start(first)
            return (await client.closed())[0]

    assert asyncio.run(scenario()) == media.POLICY


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\x00\x01", media.UNSUPPORTED),
        ("x" * (64 * 1024 + 1), media.TOO_BIG),
        ("not json", media.PROTOCOL_ERROR),
        ("[]", media.PROTOCOL_ERROR),
        (json.dumps({"event": "media", "streamSid": "MZ0", "media": {}}), media.PROTOCOL_ERROR),
    ],
)
@pytest.mark.parametrize("after_start", [False, True])
def test_what_twilio_never_sends_closes_the_stream(
    agent: Agent, message: str | bytes, code: int, after_start: bool
) -> None:
    sid = call_sid(next(FRESH))

    async def scenario() -> int:
        parameters = ask_for_stream(agent, sid)
        async with connected(agent, sid) as client:
            if after_start:
                await client.start(parameters)
                await client.until("media")
            await client.socket.send(message)
            return (await client.closed())[0]

    assert asyncio.run(scenario()) == code
    # The caller may still be there: whoever asks what comes next gets an apology or, in mid-call, another stream.
    answer = post(agent, "/twilio/stream-ended", {"CallSid": sid})
    assert ("<Connect" if after_start else "<Say") in answer.text
    assert "<Hangup" in answer.text
    post(agent, "/twilio/status", {"CallSid": sid, "CallStatus": "completed", "SequenceNumber": "3"})


def test_a_stream_that_never_starts_is_closed(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "START_DEADLINE_S", 0.2)

    async def scenario() -> int:
        async with connected(agent, call_sid(14)) as client:
            return (await client.closed())[0]

    assert asyncio.run(scenario()) == media.POLICY


def test_an_unknown_call_is_not_left_on_a_dead_line(agent: Agent) -> None:
    answer = post(agent, "/twilio/stream-ended", {"CallSid": call_sid(404)})
    assert "<Say" in answer.text


def test_the_api_wants_its_token(agent: Agent) -> None:
    url = f"{agent.url}/api/v1/calls/{call_sid(404)}"
    assert httpx.get(url, trust_env=False).status_code == 401
    assert httpx.get(url, headers={"Authorization": "Bearer x"}, trust_env=False).status_code == 401
    assert httpx.get(url, headers={"Authorization": f"Bearer {API_TOKEN}"}, trust_env=False).status_code == 404


def test_health_needs_no_token(agent: Agent) -> None:
    assert httpx.get(f"{agent.url}/healthz", trust_env=False).status_code == 200
    assert httpx.get(f"{agent.url}/readyz", trust_env=False).status_code == 200


def test_status_callbacks_may_come_twice_and_out_of_order(agent: Agent) -> None:
    sid = call_sid(15)
    ask_for_stream(agent, sid)
    for status, sequence in [
        ("in-progress", 2),
        ("ringing", 1),
        ("completed", 3),
        ("completed", 3),
        ("in-progress", 2),
    ]:
        form = {"CallSid": sid, "CallStatus": status, "SequenceNumber": str(sequence)}
        assert post(agent, "/twilio/status", form).status_code == 204
    account = agent.account(sid)
    assert (account["carrier_status"], account["state"]) == ("completed", "ended")


def test_a_call_whose_voice_webhook_failed_gets_an_apology(agent: Agent) -> None:
    answer = post(agent, "/twilio/fallback", {"CallSid": call_sid(7), "ErrorCode": "11200"})
    assert (answer.status_code, "technical problem" in answer.text) == (200, True)
