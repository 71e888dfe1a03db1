"""Plays whole scripted conversations through the real shell, guide, reply check and store, and scores their outcomes.

A script is a lead, the caller's lines, and what must come of it; ``conversations/*.yaml`` holds them, a file a family.
The lines are fixed, so they make sense whatever our words are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from telephony_agent.core.events import EndReason
from telephony_agent.engines.base import Responder
from telephony_agent.live.call_book import CallBook
from telephony_agent.live.lanes import Lane
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import TextCall, TextTerms
from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.guide_state import Setting
from telephony_agent.sales.lead import Bant, Lead
from telephony_agent.sales.moments import Moment
from telephony_agent.sales.outcome import Outcome
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.values import SlotName, Value
from telephony_agent.store import NewCall, Store
from tests.sales.talk import NOW, PLAYBOOK

_FOLDER = Path(__file__).parent / "conversations"
_NEW_YORK = "America/New_York"
_DEADLINE_S = 60.0
CONTACTS = (SlotName.EMAIL, SlotName.PHONE)
NewResponder = Callable[["Script"], Responder]
"""Gives each script the responder that words our side of it."""


@dataclass(frozen=True, slots=True)
class Script:
    """One conversation: who is called and when, what they say, and what must come of it."""

    name: str
    lead: Lead
    zone: str
    now: datetime
    says: tuple[str, ...]
    last: EndReason
    """How it ends if our side doesn't end it with the last line."""
    dispositions: frozenset[Disposition]
    """One, or those between which the rules can't decide."""
    slots: Mapping[str, str]
    opted_out: bool = False
    can_transfer: bool = False
    end: EndReason | None = None
    """How it must end; None where that depends on our words."""

    @property
    def next_step(self) -> datetime | None:
        """The absolute time that must have been agreed on, if any."""
        slot = {
            frozenset({Disposition.MEETING_BOOKED}): SlotName.MEETING,
            frozenset({Disposition.CALLBACK}): SlotName.CALLBACK,
        }.get(self.dispositions)
        if slot is None or slot not in self.slots:
            return None
        return datetime.fromisoformat(self.slots[slot]).replace(tzinfo=ZoneInfo(self.zone))


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line of the caller's, what we said to it, and how things stood then."""

    said: str
    reply: str
    refusals: int
    over: bool
    on_the_list: bool
    """Whether the lead's number was on the do-not-call list as soon as we had replied."""


@dataclass(slots=True)
class Played:
    """A script that was played: what was said, and what came of it."""

    script: Script
    greeting: str
    exchanges: list[Exchange] = field(default_factory=list)
    disclosed_first: bool = False
    end: EndReason | None = None
    outcome: Outcome | None = None
    known: tuple[str, ...] = ()
    """What our side may know: the values that were heard, as they are read out."""

    @property
    def replies(self) -> Iterator[str]:
        """What we said, the greeting left out."""
        return (exchange.reply for exchange in self.exchanges)

    def cut(self) -> Script:
        """Return the script up to where the call ended, our side ending it there."""
        said = tuple(exchange.said for exchange in self.exchanges)
        return replace(self.script, says=said, last=EndReason.AGENT)

    @property
    def misses(self) -> list[str]:
        """What didn't come out as it must, a line each; ``slot`` begins those of the slots, by name."""
        assert self.outcome is not None
        script, outcome, found = self.script, self.outcome, []
        if outcome.disposition not in script.dispositions:
            found.append(f"disposition {outcome.disposition}, not {' or '.join(sorted(script.dispositions))}")
        if outcome.opted_out is not script.opted_out:
            found.append(f"opted out {outcome.opted_out}")
        if script.end is not None and self.end is not script.end:
            found.append(f"end {self.end}, not {script.end}")
        step = outcome.next_step
        if script.next_step is not None and (step is None or (step.at, step.zone) != (script.next_step, script.zone)):
            found.append(f"next step {step}, not {script.next_step}")
        told = {str(name): as_text(value) for name, value in outcome.slots.items()}
        for name in sorted(told.keys() | script.slots.keys()):
            if told.get(name) != script.slots.get(name):
                found.append(f"slot {name} {told.get(name)}, not {script.slots.get(name)}")
        return found


def scripts() -> list[Script]:
    """Read all scripts; each lead has a number of their own, if none is told."""
    numbers = count(100)
    texts = (file.read_text(encoding="utf-8") for file in sorted(_FOLDER.glob("*.yaml")))
    return [_script(data, next(numbers)) for text in texts for data in yaml.load(text, yaml.BaseLoader)]


def play(script_list: Iterable[Script], new_responder: NewResponder, folder: Path) -> list[Played]:
    """Play scripts one after the other, written down in one store."""
    lane = Lane("respond")

    async def run() -> list[Played]:
        async with Store(folder) as store:
            played = [await _play(script, new_responder(script), lane, store) for script in script_list]
            await store.recorder.flush()
            for one in played:
                assert one.outcome is not None
            return played

    try:
        return asyncio.run(run())
    finally:
        lane.close()
        lane.join(_DEADLINE_S)


def as_text(value: Value) -> str:
    """Spell a slot's value as the scripts do; a time is local, without its zone."""
    if isinstance(value, Moment):
        return value.starts.replace(tzinfo=None).isoformat(timespec="minutes") if value.whole and value.starts else ""
    return str(value)


def share(right: int, of: int) -> float:
    """Return which part is right, of nothing all."""
    return right / of if of else 1.0


async def _play(script: Script, responder: Responder, lane: Lane, store: Store) -> Played:
    terms = TextTerms(responder, lane, _DEADLINE_S, Phrasebook.shipped(), clock=lambda: script.now)
    desk = SalesDesk(PLAYBOOK, can_transfer=script.can_transfer)
    setting = Setting(PLAYBOOK, script.lead, script.zone, can_transfer=script.can_transfer)
    guide = desk.guide(setting)
    call_id = f"T{abs(hash(script.name)):032x}"
    new = NewCall(call_id, "inbound", script.now, channel="text", number=script.lead.phone)
    book = CallBook(store.recorder.call(call_id), new, guide)
    book.answered()
    call = TextCall(call_id, setting, guide, terms, book=book)
    played = Played(script, call.greeting)
    for place, line in enumerate(script.says):
        if call.over:
            break
        reply = await call.take(line).text()
        on_the_list = guide.state.opted_out and await _on_the_list(store, script.lead.phone)
        played.exchanges.append(Exchange(line, reply, guide.state.refusals, call.over, on_the_list))
        if place == 0:
            played.disclosed_first = guide.state.disclosed
    call.end(script.last)
    played.end, played.outcome = call.end_reason, call.outcome
    played.known = tuple(guide.state.slots.read_back(name) for name, _ in guide.state.slots)
    return played


async def _on_the_list(store: Store, number: str) -> bool:
    await store.recorder.flush()
    return await store.do_not_call.contains(number)


def _script(data: Mapping[str, Any], number: int) -> Script:
    lead = {"name": "Anna Miller", "phone": f"+12125550{number}"} | data.get("lead", {})
    wanted = data["disposition"]
    return Script(
        name=data["name"],
        lead=Lead(**{key: value for key, value in lead.items() if key != "bant"}, bant=Bant(**lead.get("bant", {}))),
        zone=data.get("zone", lead.get("zone", _NEW_YORK)),
        now=datetime.fromisoformat(data["now"]).astimezone(UTC) if "now" in data else NOW,
        says=tuple(data["says"]),
        last=EndReason.SILENCE if data.get("silence") else EndReason.CALLER,
        dispositions=frozenset(map(Disposition, [wanted] if isinstance(wanted, str) else wanted)),
        slots=data["slots"],
        opted_out="opted_out" in data,
        can_transfer="transfer" in data,
        end=EndReason(data["end"]) if "end" in data else None,
    )


def table(played: Sequence[Played]) -> str:
    """Tell what missed, a conversation after the other, with all that was said in it."""
    lines = []
    for one in played:
        if one.misses:
            lines += [f"{one.script.name}: {'; '.join(one.misses)}", f"    we: {one.greeting}"]
            for exchange in one.exchanges:
                lines += [f"    they: {exchange.said}", f"    we: {exchange.reply}"]
    return "\n".join(lines)
