"""Callers handed over to a person, with the twin as Twilio: it dials, whispers, and tells what became of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from telephony_agent.simulator import twiml
from telephony_agent.simulator.script import HangUpStep, KeysStep, WaitStep
from telephony_agent.store.tables import DeliveryRow
from tests.loopback.dialled import OURS, World, dialling, parts, run
from tests.loopback.test_second_streams import SHORT
from tests.simulator.twin import BUSY, DECLINES, MACHINE, NOWHERE, callee

pytestmark = pytest.mark.long

CALLER, COLLEAGUE = "+12125550150", "+12125550151"
PEOPLE = {
    CALLER: callee("wants a person", KeysStep("0"), WaitStep(3000), HangUpStep(after_reply=False)),
    COLLEAGUE: callee("a colleague", presses="1"),
}


async def handed_over(world: World) -> tuple[dict[str, Any], list[twiml.Verb]]:
    """Have a call whose party wants a person; return the agent's account of it, and the verbs that the twin obeyed."""
    told = await world.call_to(CALLER)
    call = world.exchange.call(told["call_sid"])
    assert call is not None
    return told, list(call.verbs)


@pytest.mark.parametrize(
    ("number", "reason", "disposition"),
    [
        (COLLEAGUE, "transfer", "transferred"),
        (BUSY, "caller", "callback"),
        (DECLINES, "caller", "callback"),
        (NOWHERE, "caller", "callback"),
        (MACHINE, "caller", "callback"),  # it answers, and presses no key
    ],
)
def test_a_caller_is_handed_over_to_a_person_who_takes_the_call_and_else_comes_back(
    tmp_path: Path, number: str, reason: str, disposition: str
) -> None:
    async def story() -> None:
        given = parts(tmp_path, playbook=SHORT, transfer_number=number)
        async with dialling(given, callees=PEOPLE) as world:
            told, verbs = await handed_over(world)
        assert (told["end_reason"], told["outcome"]["disposition"]) == (reason, disposition)
        assert told["outcome"]["line_result"] == "answered"
        # Once the person has pressed the key it isn't our call any more; how long the two talk is their affair.
        obeyed = [type(verb) for verb in verbs if not isinstance(verb, twiml.Hangup)]
        assert obeyed == [twiml.Connect, twiml.Dial, *([twiml.Connect] if reason == "caller" else [])]
        dial = verbs[1]
        assert isinstance(dial, twiml.Dial)
        assert (dial.number, dial.caller_id) == (number, OURS)
        if reason == "caller":
            assert told["turns"][-1]["reply_heard"] == SHORT.untaken

    run(story)


def test_the_hand_over_is_told_to_the_webhook_with_all_that_was_said(tmp_path: Path) -> None:
    async def story() -> None:
        given = parts(tmp_path, playbook=SHORT, transfer_number=COLLEAGUE, delivers=True)
        async with dialling(given, callees=PEOPLE) as world:
            told, _ = await handed_over(world)
            store = world.agent.site.store
            assert store is not None

            async def owed() -> list[dict[str, Any]]:
                async with store.database.read() as session:
                    return list(await session.scalars(select(DeliveryRow.payload).order_by(DeliveryRow.id)))

            handover, outcome = await world.here(owed())
        assert (handover["event"], outcome["event"]) == ("handover", "outcome")
        assert handover["call_id"] == outcome["call_id"] == told["call_id"]
        assert handover["summary"].startswith("A call for you from Anna Miller.")
        said = [line["agent"] for line in handover["transcript"]]
        assert said[-1].endswith(SHORT.transfer)
        assert outcome["disposition"] == "transferred"
        json.dumps(handover)

    run(story)
