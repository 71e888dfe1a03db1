"""Who answers a call of the agent's, over real sockets: mailboxes, a fax, a menu, a screening, a person mistaken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telephony_agent.carrier.carrier import MachineDetection
from telephony_agent.engines.scripted import ScriptedTranscriber
from telephony_agent.simulator.callee import Callee, Detected
from telephony_agent.simulator.dialling import DialPace
from telephony_agent.simulator.script import HangUpStep, NoiseStep, WaitStep
from tests.loopback.agent import PLAYBOOK
from tests.loopback.dialled import World, dialling, parts, run
from tests.simulator.twin import callee

pytestmark = pytest.mark.long

SOMEBODY = "+12125550155"
BEEP = NoiseStep("beep", 400, -18.0)
TALK = NoiseStep("white", 700)
TONE_WORDS = "please leave a message after the tone"
MAILBOX = callee("mailbox", TALK, WaitStep(400), BEEP, WaitStep(60_000), detected=Detected.MACHINE)
SHORT = PLAYBOOK.model_copy(
    update={"greeting": "Hi, Ava, the AI of Bluefinch.", "voicemail": "Ava, the AI of Bluefinch, will try again."}
)
"""What is said is heard in real time."""


async def called(
    folder: Path, who: Callee, *words: str, see: Any = None, playbook: Any = SHORT, **given: Any
) -> dict[str, Any]:
    """Let somebody answer whose words are understood so, and return what the agent tells of the call."""
    # The engines are warmed by one transcription.
    agent = parts(folder, transcriber=ScriptedTranscriber(("", *words), otherwise="yes"), playbook=playbook)
    async with dialling(agent, callees={SOMEBODY: who}, **given) as world:
        told = await world.call_to(SOMEBODY)
        if see is not None:
            see(world)
        return told


def result(told: dict[str, Any]) -> tuple[str, str]:
    return told["outcome"]["line_result"], told["outcome"]["disposition"]


def said(told: dict[str, Any]) -> list[str]:
    greeting = told["greeting"]["heard"] if told["greeting"] else ""
    return [words for words in (greeting, *(turn["reply_heard"] for turn in told["turns"])) if words]


def test_a_mailbox_records_the_message_once_after_its_beep(tmp_path: Path) -> None:
    recorded: list[float] = []

    def see(world: World) -> None:
        (call,) = world.exchange.calls()
        assert call.message is not None
        recorded.append(np.count_nonzero(np.abs(call.message) > 100) / 8000)

    async def story() -> None:
        told = await called(tmp_path, MAILBOX, TONE_WORDS, see=see)
        assert result(told) == ("voicemail", "voicemail_left")
        assert said(told) == [SHORT.voicemail]
        assert told["end_reason"] == "machine"
        assert recorded[0] > 0.2

    run(story)


def test_the_carrier_s_detector_alone_finds_the_beep(tmp_path: Path) -> None:
    async def story() -> None:
        told = await called(
            tmp_path,
            MAILBOX,
            TONE_WORDS,
            detection=MachineDetection.END,
            terms={"listens": False},
            twin={"pace": DialPace(dial_ms=0, ring_ms=30, webhook_ms=0)},
        )
        assert result(told) == ("voicemail", "voicemail_left")
        assert said(told)[-1] == SHORT.voicemail

    run(story)


@pytest.mark.parametrize("why", ["the playbook has no message", "the mailbox has one of today"])
def test_a_mailbox_that_shall_have_no_message_is_hung_up_on(tmp_path: Path, why: str) -> None:
    async def story() -> None:
        leaves = why != "the playbook has no message"
        playbook = SHORT if leaves else SHORT.model_copy(update={"voicemail": ""})
        agent = parts(tmp_path, transcriber=ScriptedTranscriber(otherwise=TONE_WORDS), playbook=playbook)
        async with dialling(agent, callees={SOMEBODY: MAILBOX}) as world:
            if leaves:
                assert result(await world.call_to(SOMEBODY)) == ("voicemail", "voicemail_left")
            told = await world.call_to(SOMEBODY)
        assert result(told) == ("voicemail", "not_reached")
        assert said(told) == []

    run(story)


@pytest.mark.parametrize(
    ("who", "words"),
    [
        (callee("fax", NoiseStep("fax", 3000), detected=Detected.FAX), ""),
        (callee("menu", TALK, WaitStep(60_000), detected=Detected.MACHINE), "for orders press one"),
    ],
    ids=["fax", "menu"],
)
def test_nobody_talks_to_a_fax_or_a_menu(tmp_path: Path, who: Callee, words: str) -> None:
    async def story() -> None:
        told = await called(tmp_path, who, words, detection=MachineDetection.END)
        assert result(told) == ("voicemail", "not_reached")
        assert said(told) == []

    run(story)


def test_a_screening_is_told_who_calls_and_the_person_is_greeted(tmp_path: Path) -> None:
    screening = callee("screening", TALK, WaitStep(3500), TALK, WaitStep(2500), HangUpStep(after_reply=False))
    short = SHORT.model_copy(update={"introduction": "Ava, the AI of Bluefinch, about booking."})

    async def story() -> None:
        told = await called(tmp_path, screening, "please state your name", "hello", playbook=short)
        assert said(told) == [short.greeting, short.introduction]
        assert told["outcome"]["line_result"] == "answered"

    run(story)


def test_a_person_whom_the_carrier_takes_for_a_machine_is_greeted(tmp_path: Path) -> None:
    mistaken = callee("anna", TALK, WaitStep(2500), HangUpStep(after_reply=False), detected=Detected.MACHINE)

    async def story() -> None:
        told = await called(tmp_path, mistaken, "hello this is Anna", detection=MachineDetection.END)
        assert said(told) == [SHORT.greeting]
        assert told["outcome"]["line_result"] == "answered"

    run(story)


def test_who_picks_up_and_says_nothing_is_greeted(tmp_path: Path) -> None:
    silent = replace(callee("silent", WaitStep(3500), HangUpStep(after_reply=False)), detected=Detected.UNKNOWN)

    async def story() -> None:
        told = await called(tmp_path, silent, detection=MachineDetection.END)
        assert said(told) == [SHORT.greeting]

    run(story)
