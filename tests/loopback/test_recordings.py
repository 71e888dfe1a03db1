"""Recordings of calls through the real server: as the twin heard them, told to the caller, given out, forgotten."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.simulator import Behaviour, CallResult, Faults, Parties, PlacedCall, Script, place_call
from telephony_agent.simulator.script import HangUpStep, SayStep
from telephony_agent.store import Deleted, RetentionPolicy, Store
from tests.loopback.agent import API_TOKEN, AUTH_TOKEN, PUBLIC_URL, Agent, Parts, running
from tests.loopback.client import call_sid, calling, wait_for

pytestmark = pytest.mark.long

NOTICE = "This call is recorded."
REPLY = "I see. What else would you like to know?"
CALLER = "+15005550006"
Track = npt.NDArray[np.int16]


def parts(folder: Path, *, record: bool = True) -> Parts:
    return Parts(
        ScriptedTranscriber(otherwise="how much is it"),
        ScriptedResponder(otherwise=REPLY),
        ScriptedSynthesizer(ms_per_character=25),
        data_dir=folder,
        record=record,
    )


def get(agent: Agent, path: str, *, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    token = {"Authorization": f"Bearer {API_TOKEN}"}
    return httpx.get(
        f"{agent.url}/api/v1/calls/{path}", headers=token | (headers or {}), params=params, trust_env=False
    )


async def asks_once(agent: Agent, number: int) -> None:
    """Hear the greeting out, speak once, hear the answer and hang up."""
    async with calling(agent, call_sid(number)) as client:
        await client.hears()
        await client.says()
        await client.hears()
        await client.stop()
        await client.closed()


def recording(agent: Agent, number: int) -> httpx.Response:
    """Return the recording, once it is whole."""
    answer: list[httpx.Response] = []

    def whole() -> bool:
        answer.append(get(agent, f"{call_sid(number)}/recording"))
        return answer[-1].status_code != 409

    wait_for(whole)
    return answer[-1]


def channels(sound: bytes) -> tuple[Track, Track]:
    """Return the caller's channel and ours."""
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return samples[:, 0], samples[:, 1]


def lag_ms(recorded: Track, heard: Track) -> int:
    """Return how much later a track is in the recording than it was on the line, by the best fit of its loudness."""
    ours, theirs = (
        np.abs(track[: len(track) // 40 * 40].astype(float)).reshape(-1, 40).mean(axis=1) for track in (recorded, heard)
    )
    fit = np.correlate(ours - ours.mean(), theirs - theirs.mean(), "full")
    return (int(fit.argmax()) - len(theirs) + 1) * 5


def test_both_tracks_stand_where_the_twin_heard_them(tmp_path: Path) -> None:
    """The twin's own two tracks are on one clock, and so must ours be: neither may be shifted against the other."""
    steps = (SayStep(("How much is it?",)), SayStep(("Wait, what was that?",), interrupt_ms=300), HangUpStep())
    script = Script("asker", steps, patience_ms=1500, give_up_ms=8000)
    parties = Parties()

    async def scenario(agent: Agent) -> CallResult:
        call = PlacedCall(script, agent.url, PUBLIC_URL, AUTH_TOKEN, parties, Behaviour(Faults()))
        return await asyncio.wait_for(place_call(call), 40)

    with running(parts(tmp_path)) as agent:
        (stream,) = asyncio.run(scenario(agent)).streams
        wait_for(lambda: get(agent, f"{parties.call_sid}/recording").status_code == 200)
        ours = channels(get(agent, f"{parties.call_sid}/recording").content)
    assert np.abs(stream.caller.astype(int)).max() > 1000
    caller_ms, agent_ms = lag_ms(ours[0], stream.caller), lag_ms(ours[1], stream.agent)
    assert abs(caller_ms - agent_ms) <= 60


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A server that records, with one call behind it."""
    with running(parts(tmp_path_factory.mktemp("recorded"))) as agent:
        asyncio.run(asks_once(agent, 1))
        yield agent


def test_a_recording_is_given_out_whole_or_in_ranges(recorded: Agent) -> None:
    whole = recording(recorded, 1)
    assert whole.status_code == 200
    assert whole.headers["content-type"] == "audio/wav"
    assert all(np.abs(track.astype(int)).max() > 1000 for track in channels(whole.content))
    some = get(recorded, f"{call_sid(1)}/recording", headers={"Range": "bytes=0-3"})
    assert (some.status_code, some.content) == (206, b"RIFF")


def test_what_is_not_there_is_said_with_what_to_do(recorded: Agent) -> None:
    recording(recorded, 1)
    missing = get(recorded, f"{call_sid(1)}/recording", part=2)
    assert missing.status_code == 404
    assert "it has 1" in missing.json()["error"]
    assert get(recorded, f"{call_sid(1)}/recording", part=0).status_code == 422
    assert get(recorded, f"{call_sid(404)}/recording").status_code == 404
    assert httpx.get(f"{recorded.url}/api/v1/calls/{call_sid(1)}/recording", trust_env=False).status_code == 401


def test_the_greeting_tells_the_caller_and_the_disclosure_tells_again(recorded: Agent) -> None:
    assert NOTICE in recorded.account(call_sid(1))["greeting"]["heard"]

    async def interrupts(agent: Agent) -> None:
        async with calling(agent, call_sid(2)) as client:
            await client.until("media")
            await client.says(seconds=4.5)
            await client.until("clear")
            await client.hears()
            await client.stop()
            await client.closed()

    asyncio.run(interrupts(recorded))
    account = recorded.account(call_sid(2))
    assert NOTICE not in account["greeting"]["heard"]
    assert NOTICE in account["turns"][0]["reply"]


def test_a_call_that_is_live_has_no_recording_yet(recorded: Agent) -> None:
    async def scenario() -> httpx.Response:
        async with calling(recorded, call_sid(3)) as client:
            await client.hears()
            answer = await asyncio.to_thread(get, recorded, f"{call_sid(3)}/recording")
            await client.stop()
            await client.closed()
        return answer

    assert asyncio.run(scenario()).status_code == 409


def test_where_nothing_is_recorded_nothing_is_said_of_it(tmp_path: Path) -> None:
    with running(parts(tmp_path, record=False)) as agent:
        asyncio.run(asks_once(agent, 1))
        assert NOTICE not in agent.account(call_sid(1))["greeting"]["text"]
        refused = recording(agent, 1)
        assert refused.status_code == 404
        assert "AGENT_RECORD" in refused.json()["error"]
    assert not (tmp_path / "recordings").exists()


def test_a_disk_that_takes_no_recording_does_not_trouble_the_call(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("a file where the folder should be")
    with running(parts(tmp_path)) as agent:
        asyncio.run(asks_once(agent, 1))
        assert agent.account(call_sid(1))["turns"][0]["reply_heard"] == REPLY
        assert recording(agent, 1).status_code == 404


@pytest.mark.parametrize("how", ["forgotten", "too old"])
def test_recordings_go_with_who_is_forgotten_and_with_time(tmp_path: Path, how: str) -> None:
    with running(parts(tmp_path)) as agent:
        asyncio.run(asks_once(agent, 1))
        wait_for(lambda: agent.account(call_sid(1))["state"] == "ended")
    assert list((tmp_path / "recordings").iterdir())

    async def clean_up() -> Deleted:
        now = datetime.now(UTC)
        async with Store(tmp_path) as store:
            if how == "forgotten":
                return await store.retention.forget(CALLER, now)
            return await store.retention.apply(RetentionPolicy(recordings_days=1), now + timedelta(days=2))

    assert asyncio.run(clean_up()).recordings == 1
    assert not list((tmp_path / "recordings").iterdir())
