"""What a call leaves behind, through the real server and its API."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from tests.loopback.agent import API_TOKEN, Agent, Parts, running
from tests.loopback.client import call_sid, calling, wait_for

CALLER = "+15005550006"


def parts(folder: Path, *words: str) -> Parts:
    return Parts(
        ScriptedTranscriber(words, otherwise=words[-1]),
        ScriptedResponder(otherwise="I see. What else would you like to know?"),
        ScriptedSynthesizer(ms_per_character=20),
        data_dir=folder,
    )


def api(agent: Agent, method: str, path: str, **given: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    return httpx.request(method, f"{agent.url}/api/v1{path}", headers=headers, trust_env=False, **given)


async def says_something(agent: Agent, number: int) -> None:
    """Hear the greeting out, speak once, hear the answer and hang up."""
    async with calling(agent, call_sid(number)) as client:
        await client.hears()
        await client.says()
        await client.hears()
        await client.stop()
        await client.closed()


def ended(agent: Agent) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = api(agent, "GET", "/calls", params={"live": "false"}).json()["calls"]
    return calls


def test_an_opt_out_is_on_the_list_and_in_the_history_when_the_call_is_over(tmp_path: Path) -> None:
    with running(parts(tmp_path, "please take me off your list")) as agent:
        asyncio.run(says_something(agent, 1))
        wait_for(lambda: bool(ended(agent)))
        (call,) = ended(agent)
        assert call["disposition"] == "do_not_call"
        assert call["opted_out"]
        assert [one["number"] for one in api(agent, "GET", "/do-not-call").json()["numbers"]] == [CALLER]
        told = api(agent, "GET", f"/calls/{call['call_sid']}/transcript").json()
        assert told["turns"][1]["transcript"] == "please take me off your list"
        assert told["turns"][1]["reply_heard"].startswith("Understood.")


def test_what_was_said_survives_the_server(tmp_path: Path) -> None:
    with running(parts(tmp_path, "what is it about")) as agent:
        asyncio.run(says_something(agent, 1))
        wait_for(lambda: bool(ended(agent)))
    with running(parts(tmp_path, "unused")) as agent:
        (call,) = ended(agent)
        assert call["disposition"] == "hung_up"
        turns = api(agent, "GET", f"/calls/{call['call_sid']}/transcript").json()["turns"]
        assert [turn["transcript"] for turn in turns] == ["", "what is it about"]
        assert turns[1]["reply_heard"] == "I see. What else would you like to know?"


def test_numbers_are_put_on_the_list_and_taken_off_for_a_reason(tmp_path: Path) -> None:
    with running(parts(tmp_path, "unused")) as agent:
        assert api(agent, "POST", "/do-not-call", json={"number": CALLER, "reason": "wrote to us"}).status_code == 201
        assert api(agent, "POST", "/do-not-call", json={"number": CALLER}).status_code == 200
        assert api(agent, "POST", "/do-not-call", json={"number": "555"}).status_code == 422
        assert api(agent, "DELETE", f"/do-not-call/{CALLER}").status_code == 422
        assert api(agent, "DELETE", f"/do-not-call/{CALLER}", params={"reason": "asked to"}).status_code == 204
        assert api(agent, "DELETE", f"/do-not-call/{CALLER}", params={"reason": "asked to"}).status_code == 404
        assert api(agent, "GET", "/do-not-call").json() == {"numbers": [], "next_cursor": None}


def test_a_wrong_question_is_answered_with_what_is_wrong(tmp_path: Path) -> None:
    with running(parts(tmp_path, "unused")) as agent:
        for params, named in (
            ({"direction": "up"}, "direction"),
            ({"since": "x"}, "since"),
            ({"colour": "red"}, "colour"),
        ):
            answer = api(agent, "GET", "/calls", params=params)
            assert answer.status_code == 422
            assert named in answer.json()["error"]
        assert api(agent, "GET", "/calls", params={"cursor": "x"}).status_code == 422
        assert api(agent, "GET", "/calls/CA0/transcript").status_code == 404
        assert httpx.get(f"{agent.url}/api/v1/calls", trust_env=False).status_code == 401
