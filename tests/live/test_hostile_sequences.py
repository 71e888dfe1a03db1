"""Peers that do anything in any order, in virtual time: no fault, no call left behind, a neighbour's call whole."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from loguru import logger

from telephony_agent.core.call_terms import Announcements, CallRules
from telephony_agent.core.events import EndReason
from telephony_agent.core.media_stream import MediaStream, Started
from telephony_agent.errors import AdmissionError, RemoteProtocolError
from telephony_agent.live.announcing import render_announcements
from telephony_agent.live.call import CallState, CallTerms, RequestRefusedError
from telephony_agent.live.engine_room import Deadlines, EngineRoom
from telephony_agent.live.leg import Leg
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.switchboard import Switchboard
from telephony_agent.live.watch import Watch
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.telemetry import Metrics
from tests.hostile import HALF_A_CHARACTER, SPEECH, refused, tolerated
from tests.loopback.agent import PLAYBOOK
from tests.store.telephone import Telephone
from tests.store.virtual_time import VirtualLoop
from tests.store.whole_server import ABOUT, ANSWERS, LINES, engines

pytestmark = pytest.mark.long

SEQUENCES = int(os.environ.get("TEST_SEQUENCES", "60"))
"""``TEST_SEQUENCES=1000`` is the long form: some minutes."""
STEPS = 12
NEIGHBOUR = "CA" + "9" * 32
HOSTILE = ("CA1", "CA2", "CA3")
NUMBER = "+15005550006"
STATUSES = ("queued", "ringing", "in-progress", "completed", "busy", "failed", "canceled", "no-answer", "odd", "")
LONGEST_WAIT_S = 100.0
"""Longer than a call waits for a stream, a caller to come back or a person."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """What all sequences share, because it takes long to make."""

    room: EngineRoom
    announcements: Announcements
    phrasebook: Phrasebook
    desk: SalesDesk

    def at_work(self) -> bool:
        lanes = (self.room.transcribing, self.room.responding, self.room.synthesizing)
        return any(job.pending for lane in lanes for job in lane._open)


@pytest.fixture(scope="module")
def lasting() -> Iterator[Lasting]:
    scripted = engines()
    desk = SalesDesk(PLAYBOOK, can_transfer=True)
    announcements = render_announcements(desk, scripted.synthesizer)
    room = EngineRoom(scripted, Deadlines())
    yield Lasting(room, announcements, Phrasebook.shipped(), desk)
    room.close()


@dataclass(slots=True)
class Peer:
    """Somebody on a stream, or on none."""

    sid: str
    token: str | None = None
    leg: Leg | None = None
    sent: list[str] = field(default_factory=list)

    def hung_up(self) -> None:
        self.leg = None

    def receives(self, text: str) -> None:
        """Give the leg a message, as ``web.media`` does."""
        if self.leg is None:
            return
        leg = self.leg
        try:
            leg.receive(text)
        except RemoteProtocolError:
            leg.lose_line()
            self.leg = None


class World:
    """A switchboard in virtual time with a neighbour's call on it, and hostile peers."""

    def __init__(self, lasting: Lasting) -> None:
        self.loop = VirtualLoop()
        self.loop.clock.works.append(lasting.at_work)
        self.metrics = Metrics()
        self.faults: list[str] = []
        self._sink = logger.add(self.faults.append, level="ERROR", filter=_is_fault, format="{message} {exception}")
        self.peers = {sid: Peer(sid) for sid in HOSTILE}
        self.switchboard = self.run(self._open(lasting))
        self.neighbour = self.run(self._ring())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let virtual time pass until this is done."""
        return self.loop.run_until_complete(work)

    async def _open(self, lasting: Lasting) -> Switchboard:
        return Switchboard(
            lasting.room,
            CallTerms(
                lasting.announcements,
                lasting.phrasebook,
                PLAYBOOK.system_prompt(),
                # Who is asked whether they are there may answer in the middle of it: no harm, but not the same words.
                CallRules(reprompt_after_s=600.0),
                lasting.desk,
            ),
            max_calls=0,
            watch=Watch(self.metrics),
        )

    async def _ring(self) -> Telephone:
        telephone = Telephone(self.switchboard, NEIGHBOUR, NUMBER)
        await telephone.waits(0.1)
        return telephone

    async def aside(self, act: Any) -> None:
        """Do something on the loop."""
        act()

    def close(self) -> None:
        """See that the neighbour is served and that nothing is left of anybody."""
        try:
            self.run(self._finish())
            assert self.faults == []
            assert not asyncio.all_tasks(self.loop)
            assert self.metrics.registry.get_sample_value("telephony_agent_calls_live") == 0
        finally:
            # The lanes outlive this loop: let them come to rest on it.
            self.run(asyncio.sleep(LONGEST_WAIT_S))
            logger.remove(self._sink)
            self.loop.close()

    async def _finish(self) -> None:
        await self.neighbour.listens()
        await self.neighbour.says(LINES.index(ABOUT))
        await self.neighbour.listens()
        call = self.switchboard.find(NEIGHBOUR)
        assert call is not None
        assert call.state is CallState.LIVE
        self.neighbour.hangs_up()
        turn = call.flow.conversation.turns[-1]
        assert (turn.transcript, turn.reply_heard) == (ABOUT, ANSWERS[ABOUT])
        assert not any(turn.interrupted for turn in call.flow.conversation.turns)
        for peer in self.peers.values():
            if peer.leg is not None:
                peer.leg.lose_line()
        await asyncio.sleep(LONGEST_WAIT_S)
        # A call whose stream never came is given up when the next one rings.
        self.switchboard.expect("CA0", direction="inbound", from_number=NUMBER, to_number=NUMBER)
        self.switchboard.note_status("CA0", "completed", 1)
        left = {sid: self.switchboard.find(sid) for sid in (NEIGHBOUR, *HOSTILE, "CA0")}
        assert {sid: call.state for sid, call in left.items() if call and call.state is not CallState.ENDED} == {}


def _is_fault(record: Any) -> bool:
    """Tell whether a record says that we are at fault, not an engine that was fed noise."""
    return record["message"] != "An engine failed"


def start_of(sid: str, token: object) -> str:
    """Return the message that begins a stream."""
    form = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    start = {"streamSid": f"MZ{sid}", "callSid": sid, "accountSid": "AC1", "mediaFormat": form}
    return json.dumps({"event": "start", "start": start | {"customParameters": {"token": token}}})


class Hostile(RuleBasedStateMachine):
    """Everything that webhooks, callbacks, sockets and the API can do to the calls of three peers, in any order."""

    lasting: Lasting
    sids = st.sampled_from(HOSTILE)

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.lasting)

    @initialize()
    def begins(self) -> None:
        """Let the neighbour's call be there first."""

    @rule(sid=sids)
    def rings(self, sid: str) -> None:
        async def ring() -> str | None:
            return self.world.switchboard.expect(sid, direction="inbound", from_number=NUMBER, to_number=NUMBER)

        self.world.peers[sid].token = self.world.run(ring())

    @rule(sid=sids, of=sids, forged=st.sampled_from((None, "", "x", HALF_A_CHARACTER, 5, [])), honest=st.booleans())
    def starts_a_stream(self, sid: str, of: str, forged: object, honest: bool) -> None:
        peer = self.world.peers[sid]

        async def start() -> None:
            stream = MediaStream()
            with suppress(RemoteProtocolError, AdmissionError):
                started = stream.receive(start_of(sid, self.world.peers[of].token if honest else forged))
                assert isinstance(started, Started)
                peer.leg = self.world.switchboard.admit(stream, started, send=peer.sent.append, hang_up=peer.hung_up)
                peer.leg.begin()

        self.world.run(start())

    @rule(sid=sids, seed=st.integers(0, 2**32), number=st.integers(1, 10), broken=st.booleans())
    def sends_anything(self, sid: str, seed: int, number: int, broken: bool) -> None:
        messages = (refused if broken else tolerated)(seed, f"MZ{sid}")
        for text in islice((text for text in messages if isinstance(text, str)), number):
            self._on_the_loop(lambda text=text: self.world.peers[sid].receives(text))

    @rule(sid=sids, frames=st.integers(1, 60), first_ms=st.integers(0, 10**6))
    def speaks(self, sid: str, frames: int, first_ms: int) -> None:
        def speak() -> None:
            for frame in range(frames):
                media = {"timestamp": str(first_ms + 20 * frame), "payload": SPEECH}
                message = {"event": "media", "streamSid": f"MZ{sid}", "media": media}
                self.world.peers[sid].receives(json.dumps(message))

        self._on_the_loop(speak)

    @rule(sid=sids, echoes=st.integers(1, 5), backwards=st.booleans())
    def returns_marks(self, sid: str, echoes: int, backwards: bool) -> None:
        peer = self.world.peers[sid]
        marks = [text for text in peer.sent if json.loads(text)["event"] == "mark"]
        for mark in (marks[::-1] if backwards else marks)[:echoes]:
            self._on_the_loop(lambda mark=mark: peer.receives(mark))

    @rule(sid=sids)
    def stops(self, sid: str) -> None:
        message = json.dumps({"event": "stop", "streamSid": f"MZ{sid}", "stop": {}})
        self._on_the_loop(lambda: self.world.peers[sid].receives(message))

    @rule(sid=sids)
    def loses_the_line(self, sid: str) -> None:
        leg = self.world.peers[sid].leg
        self._on_the_loop(leg.lose_line if leg is not None else lambda: None)

    @rule(sid=sids, status=st.sampled_from(STATUSES), sequence=st.integers(-1, 10))
    def has_a_status(self, sid: str, status: str, sequence: int) -> None:
        self._on_the_loop(lambda: self.world.switchboard.note_status(sid, status, sequence))

    @rule(sid=sids, comes_back=st.booleans(), person=st.booleans())
    def is_asked_what_follows(self, sid: str, comes_back: bool, person: bool) -> None:
        switchboard, peer = self.world.switchboard, self.world.peers[sid]

        def follow() -> None:
            if (call := switchboard.find(sid)) is not None:
                switchboard.after_stream(call)
                if person:
                    switchboard.taken(call)
                if comes_back:
                    peer.token = switchboard.recall(call)

        self._on_the_loop(follow)

    @rule(sid=sids, reason=st.sampled_from((EndReason.OPERATOR, EndReason.TRANSFER)))
    def is_asked_to_end(self, sid: str, reason: EndReason) -> None:
        def ask() -> None:
            if (call := self.world.switchboard.find(sid)) is not None:
                with suppress(RequestRefusedError):
                    self.world.switchboard.request(call, reason)

        self._on_the_loop(ask)

    @rule(ms=st.sampled_from((20, 100, 500, 2000)))
    def time_passes(self, ms: int) -> None:
        self.world.run(self.world.neighbour.waits(ms / 1000))

    @precondition(lambda self: any(peer.leg for peer in self.world.peers.values()))
    @rule(keys=st.text("0123456789*#ABCD", min_size=1, max_size=30))
    def all_press_keys(self, keys: str) -> None:
        for sid, peer in self.world.peers.items():
            for key in keys:
                message = json.dumps({"event": "dtmf", "streamSid": f"MZ{sid}", "dtmf": {"digit": key}})
                self._on_the_loop(lambda peer=peer, message=message: peer.receives(message))

    def teardown(self) -> None:
        self.world.close()

    def _on_the_loop(self, act: Any) -> None:
        self.world.run(self.world.aside(act))


def test_whatever_peers_do_in_any_order_no_call_is_left_and_a_neighbour_is_served(lasting: Lasting) -> None:
    machine = type("HostileHere", (Hostile,), {"lasting": lasting})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize(("messages", "number"), [(tolerated, 10_000), (refused, 500)])
def test_thousands_of_messages_leave_no_call_behind(lasting: Lasting, messages: Any, number: int) -> None:
    """Each broken message ends a stream, and the peer comes with the next one."""
    world = World(lasting)
    peer = world.peers["CA1"]

    async def converse() -> None:
        streams = 0
        for sent, text in enumerate(islice(messages(7, "MZCA1"), number)):
            if peer.leg is None:
                streams += 1
                world.switchboard.note_status("CA1", "completed", sent)
                token = world.switchboard.expect("CA1", direction="inbound", from_number=NUMBER, to_number=NUMBER)
                stream = MediaStream()
                started = stream.receive(start_of("CA1", token))
                assert isinstance(started, Started)
                peer.leg = world.switchboard.admit(stream, started, send=peer.sent.append, hang_up=peer.hung_up)
                peer.leg.begin()
            if isinstance(text, str):
                peer.receives(text)
            if sent % 50 == 0:
                await world.neighbour.waits(0.02)
        # A few of the odd ones are keys that ask for a person, and end a call by right.
        assert (streams > number // 10) == (messages is refused)

    world.run(converse())
    world.close()
