"""Obeys TwiML on one live call, verb after verb and the media stream among them, until it ends or an order comes.

Theory of operation. ``run`` reads a document, carries out its verbs, and goes on to the documents that they name. An
*order* (hang up, or go on with other TwiML) may come at any time from outside: from Twilio's REST API, or from a limit.
It breaks off what is being waited for; a media stream is ended properly, with ``stop`` as its last message.

A party that *lives on* (a person or a machine that we dialled) goes on speaking and listening while no stream is open;
it hears silence then, or a murmur while Twilio itself speaks, and may hang up. One that doesn't (the caller of
``place_call``) stands still between two streams.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from websockets.asyncio.client import ClientConnection

from telephony_agent.simulator import twiml
from telephony_agent.simulator.caller import FRAME, FRAME_MS, Talker
from telephony_agent.simulator.commentary import Emit
from telephony_agent.simulator.debugger import Code, Notice
from telephony_agent.simulator.events import EventKind
from telephony_agent.simulator.faults import Behaviour, Dialled
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import noise
from telephony_agent.simulator.orders import Document, End, EndedBy, Order, Ordered
from telephony_agent.simulator.parties import Parties, made_up_sid
from telephony_agent.simulator.signing import Form
from telephony_agent.simulator.stream import Stream, StreamEnd
from telephony_agent.simulator.stream_record import StreamRecord
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twiml import TwimlError, Verb
from telephony_agent.simulator.upgrade import upgrade
from telephony_agent.simulator.webhooks import Webhooks
from telephony_agent.simulator.wire import StreamWire

_VERB_LIMIT: Final = 50
"""Verbs after which a call that only goes round in redirects is given up."""

_LISTEN_S: Final = 0.1
"""How often a party that lives on catches up with the time that passes without a stream."""

_KEY_PAUSES_S: Final = {"w": 0.5, "W": 1.0}
_SILENCE: Final = np.zeros(FRAME, np.int16)

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Line:
    """What a call is made of and does not change: who, over which tunnel, signed with what, with which knobs."""

    parties: Parties
    webhooks: Webhooks
    tunnel: Tunnel
    auth_token: str
    behaviour: Behaviour
    seed: int = 1


Dialler = Callable[[twiml.Dial], Coroutine[Any, Any, Dialled]]
"""Dials a second leg, and comes back when it is over."""


def _ignore_key(key: str) -> None:
    """Hear a key and do nothing: people don't."""


def _press_none() -> str:
    """Press no key, whatever is asked: most don't."""
    return ""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the call does outside of its TwiML.

    ``answer`` is called when a verb answers the call, and must bear being called again; ``emit`` takes what happens;
    ``dial`` obeys ``<Dial>``; ``key`` brings a key of the agent's to the party; ``presses`` tells the keys that the
    party presses when ``<Gather>`` asks for some.
    """

    answer: Callable[[], None]
    emit: Emit
    dial: Dialler
    key: Callable[[str], None] = _ignore_key
    presses: Callable[[], str] = _press_none


class Interpreter:
    """One call's TwiML; ``streams``, ``notices`` and ``verbs`` grow as it goes.

    ``caller`` is the party on the other side; with ``lives_on`` it lives while no stream is open, from ``pick_up`` on.
    """

    def __init__(self, line: Line, caller: Talker, hooks: Hooks, *, lives_on: bool = False) -> None:
        self._line = line
        self._caller = caller
        self._hooks = hooks
        self._emit = hooks.emit
        self._lives_on = lives_on
        self._lived_until_s: float | None = None
        self._murmur = noise("babble", FRAME, -24.0, np.random.default_rng(line.seed))
        self._order: Order | None = None
        self._ordered = asyncio.Event()
        self._stream: Stream | None = None
        self._last_close: Notice | None = None
        self.streams: list[StreamRecord] = []
        self.notices: list[Notice] = []
        self.verbs: list[Verb] = []

    def order(self, order: Order) -> None:
        """Break off what the call is doing; an order to end is not taken back by a later one."""
        if isinstance(self._order, End):
            return
        self._order = order
        self._ordered.set()
        if self._stream is not None:
            self._stream.stop()

    def take_order(self) -> Order:
        """Take the order that was broken off for; call it once after ``Ordered``."""
        assert self._order is not None, "there is an order whenever Ordered is raised"
        order, self._order = self._order, None
        self._ordered.clear()
        return order

    def pick_up(self) -> None:
        """Let a party that lives on begin to."""
        if self._lived_until_s is None:
            self._lived_until_s = asyncio.get_running_loop().time()

    async def wait(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            Ordered: an order broke it off.
        """
        await self.unless_ordered(asyncio.sleep(seconds))

    async def run(self, document: Document, form: Form) -> End:
        """Obey a document, and what orders put in its place, to the end of the call.

        Raises:
            TwimlError: Twilio would not take what the agent answered; the call ends with its apology.
        """
        while True:
            try:
                return await self._obey(await self._read(document, form))
            except Ordered:
                order = self.take_order()
            if isinstance(order, End):
                return order
            document, form = order, self._line.parties.form("in-progress")

    async def press(self, keys: str) -> None:
        """Press keys toward the party; ``w`` and ``W`` wait half a second and a whole one.

        Raises:
            Ordered: an order broke it off.
        """
        for key in keys:
            if key in _KEY_PAUSES_S:
                await self.wait(_KEY_PAUSES_S[key])
            else:
                self._hooks.key(key)

    async def unless_ordered(self, work: Coroutine[Any, Any, _Result], *, murmurs: bool = False) -> _Result:
        """Do work while the party goes on living; ``murmurs`` says that it hears Twilio speak.

        Raises:
            Ordered: an order broke it off.
        """
        task = asyncio.ensure_future(work)
        ordered = asyncio.ensure_future(self._ordered.wait())
        try:
            while not self._ordered.is_set():
                if task.done():
                    return task.result()
                timeout = _LISTEN_S if self._lives_on else None
                await asyncio.wait({task, ordered}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                self._live(self._murmur if murmurs else _SILENCE)
            raise Ordered
        finally:
            task.cancel()
            ordered.cancel()
            await asyncio.gather(task, ordered, return_exceptions=True)

    def _live(self, heard: Pcm) -> None:
        """Let the party live through the time that has passed."""
        if not self._lives_on or self._lived_until_s is None:
            return
        now = asyncio.get_running_loop().time()
        while self._lived_until_s + FRAME_MS / 1000 <= now:
            self._lived_until_s += FRAME_MS / 1000
            if self._caller.hear(heard).hangs_up:
                self._leave()
                return

    def _leave(self) -> None:
        self.order(End(EndedBy.CALLER, self._caller.gave_up or "the caller hung up"))

    async def _read(self, document: Document, form: Form) -> deque[Verb]:
        if document.text:
            return deque(twiml.parse(document.text, document.url))
        try:
            return await self._fetch(document.url, form, document.method)
        except TwimlError as error:
            if not document.fallback_url:
                raise
            self.note(error.notice)
            why = (("ErrorCode", str(error.notice.code.value)), ("ErrorUrl", document.url))
        return await self._fetch(document.fallback_url, (*form, *why), document.fallback_method)

    async def _fetch(self, url: str, form: Form, method: str) -> deque[Verb]:
        text = await self.unless_ordered(self._line.webhooks.document(url, form, method=method))
        return deque(twiml.parse(text, url))

    async def _obey(self, verbs: deque[Verb]) -> End:
        """Carry out verbs until the call ends."""
        while verbs:
            verb = verbs.popleft()
            self.verbs.append(verb)
            if len(self.verbs) > _VERB_LIMIT:
                return End(EndedBy.ERROR, f"more than {_VERB_LIMIT} verbs")
            self._emit(EventKind.VERB, type(verb).__name__, None)
            if not isinstance(verb, twiml.Reject | twiml.Redirect):
                self._hooks.answer()
            match verb:
                case twiml.Say() | twiml.Pause() | twiml.Play():
                    await self._speak(verb)
                case twiml.Gather():
                    if digits := await self._gather(verb):
                        form = (*self._form(), ("Digits", digits))
                        verbs = await self._fetch(verb.action, form, verb.method)
                case twiml.Redirect(url, method):
                    verbs = await self._fetch(url, self._form(), method)
                case twiml.Dial():
                    dialled = await self.unless_ordered(self._hooks.dial(verb))
                    if verb.action:
                        verbs = await self._fetch(verb.action, self._dial_form(dialled), verb.method)
                case twiml.Hangup():
                    break
                case twiml.Reject(reason):
                    return End(EndedBy.REJECTED, reason)
                case twiml.Connect():
                    end = await self._connect(verb)
                    if end.caller_left:
                        return End(EndedBy.CALLER, self._caller.gave_up or "the caller hung up")
                    if verb.action:
                        verbs = await self._fetch(verb.action, self._form(), verb.method)
        return self._end_of_document()

    async def _speak(self, verb: twiml.Say | twiml.Pause | twiml.Play) -> None:
        pace = self._line.behaviour.pace
        match verb:
            case twiml.Say(text):
                spoken_s = len(text.split()) * pace.say_ms_per_word / 1000
                await self.unless_ordered(asyncio.sleep(spoken_s), murmurs=True)
            case twiml.Pause(length_s):
                await self.wait(length_s * pace.pause_ms_per_s / 1000)
            case twiml.Play():
                await self.press(verb.digits)

    async def _gather(self, verb: twiml.Gather) -> str:
        """Say the prompt; return the keys that the party presses then, or nothing after the time to wait for them."""
        for prompt in verb.prompt:
            await self._speak(prompt)
        digits = self._hooks.presses()[: verb.num_digits]
        if not digits:
            await self.wait(verb.timeout_s * self._line.behaviour.pace.pause_ms_per_s / 1000)
        return digits

    def _form(self) -> Form:
        return self._line.parties.form("in-progress")

    def _dial_form(self, dialled: Dialled) -> Form:
        return (
            *self._form(),
            ("DialCallStatus", dialled.status),
            ("DialCallSid", dialled.call_sid or made_up_sid("CA")),
            ("DialCallDuration", str(dialled.duration_s)),
        )

    def _end_of_document(self) -> End:
        close = self._last_close
        if close is not None and close.code is not Code.CLOSED:
            return End(EndedBy.ERROR, str(close))
        return End(EndedBy.AGENT, close.detail if close else "the TwiML ended the call")

    async def _connect(self, verb: twiml.Connect) -> StreamEnd:
        pace, parties = self._line.behaviour.pace, self._line.parties
        await self.wait((pace.reconnect_ms if self.streams else pace.upgrade_ms) / 1000)
        stream_sid = made_up_sid("MZ")
        try:
            websocket = await self._upgrade(verb.url)
        except TwimlError as error:
            end = StreamEnd(False, error.notice)
        else:
            await self._stream_callback(verb, stream_sid, "stream-started")
            self._live(_SILENCE)
            wire = StreamWire(parties.account_sid, parties.call_sid, stream_sid, verb.parameters)
            behaviour, seed = self._line.behaviour, self._line.seed
            self._stream = Stream(websocket, wire, self._caller, behaviour, seed, self._emit)
            end = await self._hold(self._stream, stream_sid)
        self._last_close = end.notice
        if end.notice is not None:
            self.note(end.notice)
        failed = end.notice is not None and end.notice.code is not Code.CLOSED
        await self._stream_callback(verb, stream_sid, "stream-error" if failed else "stream-stopped", str(end.notice))
        if self._ordered.is_set():
            raise Ordered
        return end

    async def _hold(self, stream: Stream, stream_sid: str) -> StreamEnd:
        try:
            if self._ordered.is_set():
                stream.stop()
            end = await stream.run()
        finally:
            self._stream = None
            if self._lived_until_s is not None:
                self._lived_until_s = asyncio.get_running_loop().time()
        record = stream.record(stream_sid)
        self.streams.append(record)
        self.notices += record.warnings
        return end

    async def _upgrade(self, url: str) -> ClientConnection:
        """Open the media stream's websocket; one that opens in the moment of an order is closed again."""
        line = self._line
        fault = line.behaviour.faults.stream_signature
        opening = asyncio.create_task(upgrade(url, line.tunnel, line.auth_token, fault))
        try:
            return await self.unless_ordered(_outcome(opening))
        except (Ordered, asyncio.CancelledError):
            opening.cancel()
            for left in await asyncio.gather(opening, return_exceptions=True):
                if isinstance(left, ClientConnection):
                    await left.close()
            raise

    async def _stream_callback(self, verb: twiml.Connect, stream_sid: str, event: str, error: str = "") -> None:
        if not verb.status_callback:
            return
        told = error if event == "stream-error" else ""
        form = self._line.parties.stream_form(stream_sid, verb.name, event, told)
        notice = await self._line.webhooks.notify(verb.status_callback, form)
        if notice is not None:
            self.note(notice)

    def note(self, notice: Notice) -> None:
        """Write a line into the console."""
        self.notices.append(notice)
        self._emit(EventKind.NOTICE, str(notice), None)


async def _outcome(task: asyncio.Task[_Result]) -> _Result:
    """Wait for a task without taking it along when the wait is broken off."""
    return await asyncio.shield(task)
