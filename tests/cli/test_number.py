"""``telephony-agent number``: pointing a number at this agent, and putting back what was there."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telephony_agent.errors import CarrierError, CarrierRejected, SettingError
from tests.carrier.twilio_server import AGENT, SID, TOKEN, Step, World, twilio
from tests.cli.remembered import memory_in, run, told

OTHER = "+12125550143"
BASE = "https://agent.example"
BEFORE = "https://before.example/voice"


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give an account with two numbers, and settings that name it."""
    world = World()
    world.add_number(AGENT, voice_method="GET", status_callback="https://before.example/status")
    world.add_number(OTHER, voice=False)
    with memory_in(tmp_path, monkeypatch), twilio(world) as url:
        monkeypatch.setenv("AGENT_TWILIO_API_URL", url)
        monkeypatch.setenv("TWILIO_ACCOUNT_SID", SID)
        monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
        monkeypatch.setenv("AGENT_PUBLIC_URL", BASE)
        yield world


def refused(*arguments: str) -> str:
    """Return what a command that refuses says, on one line."""
    result = run("number", *arguments)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.replace("│", " ").split())


def changes(world: World) -> list[dict[str, list[str]]]:
    return [seen.fields for seen in world.seen if seen.method == "POST"]


# list


def test_the_numbers_are_listed_with_where_their_calls_go(world: World) -> None:
    world.add_number("+12125550144", trunk_sid="TK1")
    told("number", "connect", AGENT)
    rows = [
        [cell.strip() for cell in row.split("│")[1:-1]] for row in told("number", "list").splitlines() if "│" in row
    ]
    assert rows == [
        [AGENT, "line 1", "yes", f"{BASE}/twilio/voice", f"{BASE}/twilio/fallback", f"{BASE}/twilio/status", "yes"],
        [OTHER, "line 2", "no", BEFORE, "-", "-", "no"],
        ["+12125550144", "line 3", "yes", "the SIP trunk TK1", "-", "-", "no"],
    ]


def test_an_account_without_numbers_is_told_what_to_do(world: World) -> None:
    world.numbers.clear()
    assert "buy one with voice" in told("number", "list")


# connect


def test_a_number_is_pointed_at_this_agent_and_put_back(world: World) -> None:
    before = dict(world.numbers[0])
    said = told("number", "connect", "+1 (500) 555-0006")
    assert f"{AGENT} rings at this agent now." in said
    assert f"It was: {BEFORE}." in said
    now: dict[str, Any] = world.numbers[0]
    assert (now["voice_url"], now["voice_method"]) == (f"{BASE}/twilio/voice", "POST")
    assert (now["voice_fallback_url"], now["status_callback"]) == (f"{BASE}/twilio/fallback", f"{BASE}/twilio/status")
    assert told("number", "disconnect") == f"{AGENT} is as it was: {BEFORE}.\n"
    assert world.numbers[0] == before
    assert "no number is connected" in refused("disconnect")


def test_the_number_of_the_settings_is_connected_where_none_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingError, match="TWILIO_PHONE_NUMBER: not set"):
        run("number", "connect")
    monkeypatch.setenv("TWILIO_PHONE_NUMBER", AGENT)
    told("number", "connect", "--fallback-url", "https://handler.example/bin")
    assert world.numbers[0]["voice_fallback_url"] == "https://handler.example/bin"


def test_what_was_there_is_kept_where_only_its_owner_can_read_it(tmp_path: Path) -> None:
    told("number", "connect", AGENT)
    kept = tmp_path / ".telephony-agent" / "numbers.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())[AGENT]["before"]["voice_url"] == BEFORE


def test_a_new_public_url_does_not_make_the_old_one_what_was_there_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("number", "connect", AGENT)
    monkeypatch.setenv("AGENT_PUBLIC_URL", "https://other.example")
    told("number", "connect", AGENT)
    assert world.numbers[0]["voice_url"] == "https://other.example/twilio/voice"
    told("number", "disconnect", AGENT)
    assert world.numbers[0]["voice_url"] == BEFORE


def test_connecting_twice_changes_nothing(world: World) -> None:
    told("number", "connect", AGENT)
    assert told("number", "connect", AGENT) == f"{AGENT} rings at this agent already.\n"
    assert len(changes(world)) == 1


def test_a_number_of_a_trunk_is_taken_off_it_and_put_back(world: World) -> None:
    world.numbers[0]["trunk_sid"] = "TK1"
    told("number", "connect", AGENT)
    assert world.numbers[0]["trunk_sid"] == ""
    told("number", "disconnect")
    assert world.numbers[0]["trunk_sid"] == "TK1"
    assert "VoiceApplicationSid" not in changes(world)[-1]


def test_what_twilio_does_not_take_over_is_told(world: World) -> None:
    world.numbers[0]["trunk_sid"] = "TK1"
    world.stubborn = frozenset({"trunk_sid"})
    with pytest.raises(CarrierError, match="did not take over trunk_sid"):
        run("number", "connect", AGENT)


@pytest.mark.parametrize(
    ("number", "reason"), [(OTHER, "takes no calls"), ("+12125550199", "the account has no number +12125550199")]
)
def test_a_number_that_cannot_ring_here_is_refused(world: World, number: str, reason: str) -> None:
    assert reason in refused("connect", number)
    assert changes(world) == []


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AGENT_PUBLIC_URL", "", "AGENT_PUBLIC_URL: not set"),
        ("AGENT_PUBLIC_URL", "http://127.0.0.1:8080", "Twilio can't reach that"),
        ("TWILIO_ACCOUNT_SID", "", "TWILIO_ACCOUNT_SID: not set"),
        ("TWILIO_AUTH_TOKEN", "", "TWILIO_AUTH_TOKEN: not set"),
    ],
)
def test_a_setting_that_is_needed_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError, match=message):
        run("number", "connect", AGENT)
    assert world.seen == []


def test_a_fallback_over_http_is_refused() -> None:
    assert "must begin with https://" in refused("connect", AGENT, "--fallback-url", "http://handler.example")


def test_a_refusal_of_twilio_is_an_error_of_one_line(world: World) -> None:
    world.then(Step.OK, Step.BAD)
    world.refusal = {"code": 21402, "message": "VoiceUrl is not valid", "status": 400}
    with pytest.raises(CarrierRejected, match="Twilio error 21402: a URL for the number is not valid"):
        run("number", "connect", AGENT)


# disconnect


def test_a_number_that_somebody_pointed_elsewhere_is_left_alone(world: World) -> None:
    told("number", "connect", AGENT)
    world.numbers[0]["voice_url"] = "https://elsewhere.example/voice"
    assert "was pointed elsewhere since: https://elsewhere.example/voice" in refused("disconnect")
    assert world.numbers[0]["voice_url"] == "https://elsewhere.example/voice"
    told("number", "disconnect", "--force")
    assert world.numbers[0]["voice_url"] == BEFORE


def test_a_number_that_was_not_connected_from_here_is_left_alone(world: World) -> None:
    assert "was not connected from here" in refused("disconnect", AGENT)
    assert changes(world) == []


def test_which_of_several_numbers_is_meant_must_be_said(world: World) -> None:
    world.numbers[1]["capabilities"]["voice"] = True
    told("number", "connect", AGENT)
    told("number", "connect", OTHER)
    assert "2 numbers are connected: name one" in refused("disconnect")
    told("number", "disconnect", OTHER)
    assert told("number", "disconnect").startswith(AGENT)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"+15005550006": {}}', '{"+15005550006": {"before": {"x": 1}}}'])
def test_a_memory_that_cannot_be_read_is_named(world: World, tmp_path: Path, text: str) -> None:
    (tmp_path / ".telephony-agent").mkdir()
    (tmp_path / ".telephony-agent" / "numbers.json").write_text(text)
    with pytest.raises(SettingError, match=r"numbers\.json: can't be read"):
        run("number", "disconnect")
