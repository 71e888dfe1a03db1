"""Live calls ended and handed over by the API, and calls found by it wherever they are remembered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.sales.phrasebook import Phrasebook
from tests.loopback.agent import API_TOKEN, PLAYBOOK, Agent, Parts, running
from tests.loopback.client import ask_for_stream, call_sid, calling, post, wait_for

PERSON = "+15005550006"


def parts(folder: Path | None, *, person: str = "") -> Parts:
    return Parts(
        ScriptedTranscriber(otherwise="how much is it"),
        ScriptedResponder(otherwise="It costs ten dollars. Do you want it?"),
        ScriptedSynthesizer(ms_per_character=20),
        data_dir=folder,
        transfer_number=person,
    )


def api(agent: Agent, method: str, path: str, **given: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    return httpx.request(method, f"{agent.url}/api/v1{path}", headers=headers, trust_env=False, **given)


def asks_of_a_live_call(agent: Agent, number: int, wish: str) -> list[httpx.Response]:
    """Live through a call of which, after the greeting, the same is asked twice; return the answers."""

    async def scenario() -> list[httpx.Response]:
        path = f"/calls/{call_sid(number)}/{wish}"
        async with calling(agent, call_sid(number)) as client:
            await client.hears()
            answers = [await asyncio.to_thread(api, agent, "POST", path) for _ in range(2)]
            if answers[0].is_success:
                await client.hears()
            else:
                await client.stop()
            assert (await client.closed())[0] == 1000
        return answers

    return asyncio.run(scenario())


def test_a_live_call_takes_leave_on_request(tmp_path: Path) -> None:
    with running(parts(tmp_path)) as agent:
        first, second = asks_of_a_live_call(agent, 1, "end")
        assert (first.status_code, first.json()) == (202, {"call_id": call_sid(1), "requested": "end"})
        assert second.status_code == 409
        assert "ending already" in second.json()["error"]
        account = agent.account(call_sid(1))
        assert (account["end_reason"], account["ended_by"]) == ("operator", "agent")
        assert account["greeting"]["heard"].endswith(PLAYBOOK.goodbye)
        answer = post(agent, "/twilio/stream-ended", {"CallSid": call_sid(1)})
        assert "<Dial" not in answer.text
        assert api(agent, "POST", f"/calls/{call_sid(1)}/end").status_code == 409


def test_a_live_call_is_handed_over_to_the_person_that_is_set_and_to_nobody_else(tmp_path: Path) -> None:
    with running(parts(tmp_path, person=PERSON)) as agent:
        first, second = asks_of_a_live_call(agent, 1, "transfer?number=%2B19005550199")
        assert (first.status_code, second.status_code) == (202, 409)
        account = agent.account(call_sid(1))
        assert (account["state"], account["end_reason"]) == ("live", None)
        assert account["greeting"]["heard"].endswith(PLAYBOOK.transfer)
        answer = post(agent, "/twilio/stream-ended", {"CallSid": call_sid(1)})
        assert "<Dial" in answer.text
        assert PERSON in answer.text
        assert "900" not in answer.text


def test_where_nobody_is_set_no_call_is_handed_over() -> None:
    with running(parts(None)) as agent:
        refused, _ = asks_of_a_live_call(agent, 1, "transfer")
        assert refused.status_code == 409
        assert "AGENT_TRANSFER_NUMBER" in refused.json()["error"]
        assert agent.account(call_sid(1))["end_reason"] == "caller"


def test_what_is_not_live_can_not_be_ended() -> None:
    with running(parts(None)) as agent:
        assert api(agent, "POST", f"/calls/{call_sid(404)}/end").status_code == 404
        ask_for_stream(agent, call_sid(2))
        rings = api(agent, "POST", f"/calls/{call_sid(2)}/end")
        assert rings.status_code == 409
        assert "not been answered" in rings.json()["error"]
        for wish in ("end", "transfer"):
            url = f"{agent.url}/api/v1/calls/{call_sid(2)}/{wish}"
            assert httpx.post(url, trust_env=False).status_code == 401


def test_a_call_of_an_earlier_process_is_found_and_is_over(tmp_path: Path) -> None:
    async def scenario(agent: Agent) -> None:
        async with calling(agent, call_sid(1)) as client:
            await client.hears()
            await client.says()
            await client.hears()
            await client.stop()
            await client.closed()

    with running(parts(tmp_path)) as agent:
        asyncio.run(scenario(agent))
        before = agent.account(call_sid(1))
    with running(parts(tmp_path)) as agent:
        after = agent.account(call_sid(1))
        for key in ("call_id", "call_sid", "channel", "direction", "from", "to", "state", "greeting", "turns"):
            assert after[key] == before[key], key
        known = before["outcome"].keys() - {"disclosed"}
        assert {key: after["outcome"][key] for key in known} == {key: before["outcome"][key] for key in known}
        assert api(agent, "POST", f"/calls/{call_sid(1)}/end").status_code == 409
        assert api(agent, "GET", f"/calls/{call_sid(404)}").status_code == 404


def test_a_text_call_is_found_and_ended_but_never_handed_over(tmp_path: Path) -> None:
    with running(parts(tmp_path, person=PERSON)) as agent:
        room = agent.room
        terms = TextTerms(room.engines.responder, room.responding, 5.0, Phrasebook.shipped())
        assert agent.site.store is not None
        agent.site.text_desk = TextDesk(SalesDesk(PLAYBOOK), terms, recorder=agent.site.store.recorder)
        lead = {"name": "Anna Miller", "phone": "+12125550199"}
        started = api(agent, "POST", "/sales/start-call", json={"lead": lead, "channel": "text"})
        call_id = started.json()["call_id"]
        api(agent, "POST", f"/sales/calls/{call_id}/turns", json={"text": "how much is it"})
        wait_for(lambda: len(agent.account(call_id)["turns"]) == 1)
        assert agent.account(call_id)["state"] == "live"
        assert api(agent, "POST", f"/calls/{call_id}/transfer").status_code == 409
        assert api(agent, "POST", f"/calls/{call_id}/end").status_code == 202
        assert api(agent, "POST", f"/calls/{call_id}/end").status_code == 409
        wait_for(lambda: agent.account(call_id)["state"] == "ended")
        told = agent.account(call_id)
        assert told["channel"] == "text"
        assert told["outcome"]["disposition"]
