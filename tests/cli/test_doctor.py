"""``telephony-agent doctor``: a healthy set-up has no fault, and each planted one is found and its fix named."""

from __future__ import annotations

import asyncio
import io
import json
import re
import resource
import socket
import sqlite3
import threading
import wave
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telephony_agent.carrier.signature import SignatureCheck
from telephony_agent.cli.doctor.finding import Check, Finding, Grade, in_thread, ok
from telephony_agent.cli.doctor.trial_call import holds_tone
from telephony_agent.cli.identity import server_identity
from tests.carrier.twilio_server import AGENT, SID, TOKEN, World, twilio
from tests.cli.door import Door, door, made_certificate
from tests.cli.remembered import in_store, memory_in, run
from tests.loopback.agent import Agent, Parts, running

# Without torch and its like the packages are not as needed.
pytestmark = pytest.mark.torch
FACES = (
    ("voice_url", "/twilio/voice"),
    ("voice_fallback_url", "/twilio/fallback"),
    ("status_callback", "/twilio/status"),
)


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with running(Parts(auth_tokens=(TOKEN,))) as running_agent:
        yield running_agent


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_certificate(tmp_path_factory.mktemp("tls"))


@dataclass
class SetUp:
    """A set-up in which all is well, until a test plants a fault."""

    folder: Path
    environment: pytest.MonkeyPatch
    agent: Agent
    world: World
    door: Door
    twilio_url: str

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.environment.setenv(name, value)

    def face(self, base: str) -> None:
        """Let everybody use this public URL: the settings, the running server, and the number."""
        self.set(AGENT_PUBLIC_URL=base)
        self.agent.site.public_url = base
        self.agent.site.signatures = SignatureCheck(base, (TOKEN,))
        self.world.numbers[0].update({field: base + path for field, path in FACES})


@pytest.fixture
def healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: Agent, certificate: Path) -> Iterator[SetUp]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    world, port = World(), int(agent.url.rpartition(":")[2])
    world.add_number(AGENT)
    with memory_in(tmp_path, monkeypatch), twilio(world) as url, door(port, certificate) as opened:
        found = SetUp(tmp_path, monkeypatch, agent, world, opened, url)
        found.set(AGENT_TWILIO_API_URL=url, AGENT_PORT=str(port), AGENT_MODELS="pocket", SSL_CERT_FILE=str(certificate))
        found.set(TWILIO_ACCOUNT_SID=SID, TWILIO_AUTH_TOKEN=TOKEN, TWILIO_PHONE_NUMBER=AGENT)
        found.face(f"https://localhost:{opened.port}")
        agent.site.identity = server_identity(tmp_path / ".telephony-agent", port)
        yield found


def examined(*options: str) -> dict[str, Finding]:
    """Run the doctor; return its findings by the names of the checks."""
    result = run("doctor", "--json", *options)
    told: dict[str, Any] = json.loads(result.stdout)
    found = {one["name"]: Finding(Grade(one["grade"]), one["seen"], one["fix"]) for one in told["checks"]}
    assert told["ok"] == all(one.grade is not Grade.WRONG for one in found.values())
    assert result.exit_code == (0 if told["ok"] else 1)
    assert all(one.fix for one in found.values() if one.grade is not Grade.OK), found
    return found


def fault(name: str, grade: Grade = Grade.WRONG) -> Finding:
    """Return the one fault that the quick examination finds; others may only follow from it."""
    found = examined("--quick")
    assert found[name].grade is grade, found
    return found[name]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# Nothing is wrong


def test_a_healthy_set_up_has_no_fault(healthy: SetUp) -> None:
    in_store(_nothing)
    found = examined()
    assert {name: one for name, one in found.items() if one.grade is not Grade.OK} == {}
    assert re.match(r"about \d+ calls? at once at a turn gap of \d\.\d s; warm in \d+ s", found["speed"].seen)
    assert re.match(r"the greeting came after \d+ ms, the tone was sent", found["call"].seen)
    assert found["database"].seen.endswith("up to date")
    assert "our server listens" in found["port"].seen
    assert found["media stream"].seen == "the upgrade to a websocket passes"


async def _nothing(store: object) -> None:
    """Only let the database be made."""


def test_without_a_server_the_doctor_serves_while_it_looks_from_outside(healthy: SetUp) -> None:
    healthy.door.leads_to = free_port()
    healthy.set(AGENT_PORT=str(healthy.door.leads_to))
    found = examined("--quick")
    assert {name: one for name, one in found.items() if one.grade is not Grade.OK} == {}
    assert "no server runs" in found["port"].seen
    assert "arrives" in found["media stream"].seen


def test_the_table_shows_faults_with_their_fixes(healthy: SetUp) -> None:
    healthy.set(TWILIO_PHONE_NUMBER="+15005550007")
    result = run("doctor", "--quick")
    assert result.exit_code == 1
    assert "→ TWILIO_PHONE_NUMBER=<one of `telephony-agent number list`>" in result.output
    assert result.output.rstrip().endswith("15 ok, 0 warning, 1 wrong")


def test_secrets_and_numbers_are_masked(healthy: SetUp) -> None:
    healthy.set(AGENT_TRANSFER_NUMBER="+12125550142")
    seen = examined("--quick")["settings"].seen
    assert "TWILIO_AUTH_TOKEN=(secret)" in seen
    assert "AGENT_TRANSFER_NUMBER=…0142" in seen
    assert not re.search(re.escape(TOKEN) + r"|\+\d{7}|" + SID, seen)


# Planted faults


def test_1_a_wrong_token(healthy: SetUp) -> None:
    healthy.set(TWILIO_AUTH_TOKEN="not that of the account")
    found = fault("account")
    assert "20003" in found.seen
    assert "front page of Twilio's console" in found.fix


def test_2_a_public_url_over_http(healthy: SetUp) -> None:
    healthy.set(AGENT_PUBLIC_URL=healthy.agent.url)
    assert fault("public URL").fix.startswith("AGENT_PUBLIC_URL=https://")


def test_3_a_public_url_that_nobody_answers(healthy: SetUp) -> None:
    healthy.face(f"https://localhost:{free_port()}")
    found = fault("tunnel")
    assert "can't be reached" in found.seen
    assert "telephony-agent serve --tunnel" in found.fix


def test_4_a_public_url_that_leads_to_another_agent(healthy: SetUp) -> None:
    # The same agent on another port is another one: its calls don't come to the one that is looked at.
    healthy.set(AGENT_PORT=str(free_port()))
    found = fault("tunnel")
    assert "another telephony-agent" in found.seen
    assert "let the tunnel lead to AGENT_PORT" in found.fix


def test_5_a_public_url_that_leads_to_a_stranger(healthy: SetUp) -> None:
    healthy.door.leads_to = int(healthy.twilio_url.rpartition(":")[2])
    found = fault("tunnel")
    assert "leads elsewhere: HTTP 401" in found.seen
    assert "let the tunnel lead to AGENT_PORT" in found.fix


def test_6_a_certificate_that_nobody_trusts(healthy: SetUp) -> None:
    healthy.environment.delenv("SSL_CERT_FILE")
    found = fault("tunnel")
    assert "is not trusted" in found.seen
    assert "public authority" in found.fix


def test_7_espeak_is_missing(healthy: SetUp) -> None:
    healthy.set(PATH=str(healthy.folder))
    assert fault("voice", Grade.WARNING).fix == "sudo apt-get install espeak-ng"


def test_8_a_library_of_espeak_that_is_broken(healthy: SetUp) -> None:
    for name in ("libespeak-ng.so.1", "libespeak-ng.so", "libespeak.so.1", "libespeak.so"):
        (healthy.folder / name).write_bytes(b"not a library")
    healthy.set(LD_LIBRARY_PATH=str(healthy.folder))
    assert fault("voice").fix == "sudo apt-get install espeak-ng"


def test_9_a_model_that_is_not_there(healthy: SetUp) -> None:
    healthy.set(AGENT_STT_MODEL=str(healthy.folder / "whisper"))
    assert fault("models").fix.startswith("AGENT_STT_MODEL: name a folder that holds weights")


def test_10_a_data_folder_that_cannot_be_made(healthy: SetUp) -> None:
    (healthy.folder / "file").touch()
    healthy.set(AGENT_DATA_DIR=str(healthy.folder / "file" / "data"))
    found = fault("data folder")
    assert "Not a directory" in found.seen
    assert "AGENT_DATA_DIR=" in found.fix


def test_11_a_quota_that_is_used_up(healthy: SetUp) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512 * 1024, limits[1]))
    try:
        found = fault("data folder")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "can't take 1 MB" in found.seen
    assert "quota" in found.fix


def test_12_a_database_of_a_newer_version(healthy: SetUp) -> None:
    in_store(_nothing)
    with closing(sqlite3.connect(".telephony-agent/telephony_agent.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    found = fault("database")
    assert "newer version (its tables are at 9999)" in found.seen
    assert "install the version" in found.fix


def test_13_a_database_that_somebody_holds(healthy: SetUp) -> None:
    in_store(_nothing)
    with closing(sqlite3.connect(".telephony-agent/telephony_agent.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        found = fault("database")
    assert "locked" in found.seen
    assert found.fix.startswith("stop the program that holds it: `fuser ")


def test_14_a_number_that_rings_elsewhere(healthy: SetUp) -> None:
    healthy.world.numbers[0]["voice_url"] = "https://before.example/voice"
    found = fault("number")
    assert "https://before.example/voice" in found.seen
    assert found.fix == f"telephony-agent number connect {AGENT}"


def test_15_a_number_without_a_fallback(healthy: SetUp) -> None:
    healthy.world.numbers[0]["voice_fallback_url"] = ""
    found = fault("number", Grade.WARNING)
    assert "no fallback" in found.seen
    assert found.fix == f"telephony-agent number connect {AGENT}"


def test_16_a_number_of_a_trunk(healthy: SetUp) -> None:
    healthy.world.numbers[0]["trunk_sid"] = "TK1"
    assert fault("number").fix == f"telephony-agent number connect {AGENT}"


def test_17_settings_that_are_wrong_are_all_named(healthy: SetUp) -> None:
    healthy.set(AGENT_TTS_RATE="fast", AGENT_VAD="ears")
    found = fault("settings")
    assert "AGENT_TTS_RATE='fast'" in found.seen
    assert "AGENT_VAD='ears': allowed: both, webrtc, silero" in found.seen
    assert "correct these variables" in found.fix


def test_18_a_port_that_another_program_has(healthy: SetUp) -> None:
    healthy.set(AGENT_PORT=healthy.twilio_url.rpartition(":")[2])
    assert "set AGENT_PORT to a free port" in fault("port").fix


def test_19_a_package_that_is_too_old(healthy: SetUp) -> None:
    old = healthy.folder / "starlette-0.1.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: starlette\nVersion: 0.1\n")
    healthy.environment.syspath_prepend(str(healthy.folder))
    found = fault("packages")
    assert found.seen.startswith("starlette 0.1 (needed: ")
    assert re.search(r"-m pip install 'starlette==\d", found.fix)


def test_20_a_clock_that_is_wrong(healthy: SetUp) -> None:
    with door(int(healthy.twilio_url.rpartition(":")[2])) as twilio_door:
        twilio_door.answer = lambda data: re.sub(rb"Date: [^\r]+", b"Date: Mon, 02 Mar 2026 15:00:00 GMT", data)
        healthy.set(AGENT_TWILIO_API_URL=f"http://127.0.0.1:{twilio_door.port}")
        found = fault("clock")
    assert re.match(r"\d+ s ahead of Twilio's", found.seen)
    assert "set-ntp" in found.fix or "synchronise" in found.fix


def test_21_a_server_that_was_started_with_another_token(healthy: SetUp) -> None:
    healthy.agent.site.signatures = SignatureCheck(healthy.agent.site.public_url, ("the token of before",))
    assert fault("signatures").fix.startswith("restart `telephony-agent serve`")


def test_22_a_server_that_lets_everybody_in(healthy: SetUp) -> None:
    healthy.agent.site.signatures = None
    assert "AGENT_ALLOW_UNSIGNED=false" in fault("signatures").fix


def test_23_a_proxy_that_lets_no_websocket_through(healthy: SetUp) -> None:
    healthy.door.request = lambda data: data.replace(b"Upgrade: websocket\r\n", b"")
    found = fault("media stream")
    assert found.seen == "the upgrade to a websocket does not pass: 404"
    assert "proxy_set_header Upgrade" in found.fix


def test_24_no_token_at_all(healthy: SetUp) -> None:
    healthy.set(TWILIO_AUTH_TOKEN="")
    assert fault("settings").fix.startswith("TWILIO_AUTH_TOKEN=")


def test_a_network_that_cannot_be_reached_is_a_warning_and_no_fault(healthy: SetUp) -> None:
    healthy.set(AGENT_TWILIO_API_URL=f"http://127.0.0.1:{free_port()}")
    healthy.face(f"https://localhost:{free_port()}")
    found = examined("--quick")
    assert [name for name, one in found.items() if one.grade is Grade.WARNING] == [
        *("clock", "account", "number", "tunnel", "signatures", "media stream"),
    ]
    assert all(one.grade is not Grade.WRONG for one in found.values())


# The parts


def test_a_check_that_hangs_is_a_finding() -> None:
    released = threading.Event()

    async def hangs() -> Finding:
        return await in_thread(lambda: ok("too late") if released.wait(30) else ok("never"))

    found = asyncio.run(Check("hanging", hangs, limit_s=0.05).find())
    released.set()
    assert (found.grade, found.seen) == (Grade.WRONG, "no result within 0.05 s")


def test_a_check_that_fails_is_a_finding_without_its_secrets() -> None:
    async def fails() -> Finding:
        raise KeyError("a password")

    found = asyncio.run(Check("failing", fails).find())
    assert found.seen.startswith("the check itself failed: KeyError at test_doctor.py:")


def recorded(left: np.ndarray[Any, np.dtype[np.int16]]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((2, 2, 8000, 0, "NONE", ""))
        written.writeframes(np.column_stack((left, np.zeros_like(left))).tobytes())
    return file.getvalue()


def test_a_tone_is_told_from_noise_and_silence() -> None:
    time = np.arange(8000) / 8000
    tone = (3000 * np.sin(2 * np.pi * 1000 * time)).astype(np.int16)
    noise = np.random.default_rng(1).normal(0, 3000, 8000).astype(np.int16)
    assert holds_tone(recorded(np.concatenate([noise, tone])))
    assert not holds_tone(recorded(noise))
    assert not holds_tone(recorded(np.zeros(8000, np.int16)))


def test_an_identity_outlives_a_restart_and_differs_by_port_and_folder(tmp_path: Path) -> None:
    first = server_identity(tmp_path / "a", 8080)
    assert server_identity(tmp_path / "a", 8080) == first
    assert server_identity(tmp_path / "a", 8081) != first
    assert server_identity(tmp_path / "b", 8080) != first
    assert (tmp_path / "a" / "identity").stat().st_mode & 0o777 == 0o600
