"""One account of Twilio's as the twin keeps it: its numbers, its calls and their recordings, and who may call whom."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import httpx

from telephony_agent.simulator import twiml
from telephony_agent.simulator.call_record import CallRecord, CallStatus
from telephony_agent.simulator.callee import Callee
from telephony_agent.simulator.caller import Cue, rehearse
from telephony_agent.simulator.events import Event, EventKind
from telephony_agent.simulator.faults import Dialled
from telephony_agent.simulator.interpreter import Line
from telephony_agent.simulator.orders import Document
from telephony_agent.simulator.parties import Parties, made_up_sid
from telephony_agent.simulator.phone_call import CallListener, Facilities, PhoneCall
from telephony_agent.simulator.rest_error import RestError, call_is_over, not_found, wrong_field
from telephony_agent.simulator.rest_order import CallOrder, Fields, is_number, read_document, read_order
from telephony_agent.simulator.rest_recordings import Recordings
from telephony_agent.simulator.second_leg import dial_second_leg
from telephony_agent.simulator.speech import Speaker
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twin_settings import TEST_NUMBER, TwinSettings
from telephony_agent.simulator.webhooks import EVENTS, Subscription

_TEST_TO: Final = {
    "+15005550001": (21217, "Phone number is invalid"),
    "+15005550002": (21214, "The number cannot be routed to"),
    "+15005550003": (21215, "The account has no international permission for the number"),
    "+15005550004": (21216, "The number is blocked"),
}
_INVALID_FROM: Final = "+15005550001"


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the account, and where its calls lead."""

    phone_number: str
    friendly_name: str = ""
    voice_url: str = ""
    voice_method: str = "POST"
    voice_fallback_url: str = ""
    voice_fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"
    voice_application_sid: str = ""
    trunk_sid: str = ""

    @property
    def sid(self) -> str:
        """The number's SID, the same whenever the twin runs."""
        return "PN" + hashlib.sha256(self.phone_number.encode()).hexdigest()[:32]


def _ignore(call_sid: str, event: Event) -> None:
    """Take what happens, and do nothing."""


class Exchange:
    """The account; build it inside a running loop and ``close`` it.

    ``records`` holds every call by its SID, in the order in which they came; ``numbers`` the account's numbers by SID.
    """

    def __init__(self, settings: TwinSettings, *, speaker: Speaker | None = None, on_event: CallListener = _ignore):
        self.settings = settings
        self.records: dict[str, CallRecord] = {}
        self.recordings = Recordings()
        self.numbers = {number.sid: number for number in map(Number, settings.account.numbers)}
        self._speaker = speaker
        self._rehearsed: dict[Callee, tuple[Cue, ...]] = {}
        self._calls: dict[str, PhoneCall] = {}
        self._finished: deque[str] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_dial_s = 0.0
        self._ordered: asyncio.Queue[str] = asyncio.Queue()
        self._client = httpx.AsyncClient(trust_env=False)
        self._facilities = Facilities(settings, self._client, self._dial, self.recordings.keep, on_event)

    async def close(self) -> None:
        """Cut every call, and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def place(self, fields: Fields) -> CallRecord:
        """Take the order for a call (``POST Calls.json``); it is dialled when its turn comes.

        Raises:
            RestError: Twilio would refuse it.
            SpeechError: the callee speaks, and espeak-ng is missing or fails.
        """
        order = read_order(fields)
        self._check(order)
        direction = "outbound-api"
        if self.settings.account.is_test:
            record = CallRecord(self._parties(order, direction))
            self.records[record.sid] = record
            return record
        call = await self._start(order, self.settings.directory.callee(order.to), direction)
        self._ordered.put_nowait(call.record.sid)
        return call.record

    async def next_order(self) -> PhoneCall:
        """Wait for the next call that is ordered over REST; each is given once, those no longer kept are left out."""
        while True:
            if (call := self._calls.get(await self._ordered.get())) is not None:
                return call

    def lead_to(self, tunnel: Tunnel) -> None:
        """Say where the agent's public URL leads: an agent that must know its twin's address starts after it."""
        self.settings = replace(self.settings, tunnel=tunnel)
        self._facilities = replace(self._facilities, settings=self.settings)

    async def ring_in(self, to: str, from_: str, caller: Callee) -> PhoneCall:
        """Let somebody call a number of the account: its voice URL is asked.

        Raises:
            RestError: the account has no such number, or it leads nowhere.
            SpeechError: the caller speaks, and espeak-ng is missing or fails.
        """
        number = next((one for one in self.numbers.values() if one.phone_number == to), None)
        if number is None or not number.voice_url:
            raise wrong_field("To", f"{to} is no number of the account with a VoiceUrl")
        document = Document(
            url=number.voice_url,
            method=number.voice_method,
            fallback_url=number.voice_fallback_url,
            fallback_method=number.voice_fallback_method,
        )
        progress = Subscription(number.status_callback, EVENTS, number.status_callback_method)
        return await self._start(CallOrder(to, from_, document, progress), caller, "inbound")

    def call(self, sid: str) -> PhoneCall | None:
        """Find a call with its tracks and events; ``None`` if it is a second leg, or too old to be kept."""
        return self._calls.get(sid)

    def find(self, sid: str, path: str) -> CallRecord:
        """Find a call.

        Raises:
            RestError: there is none; it names ``path``.
        """
        if sid not in self.records:
            raise not_found(path)
        return self.records[sid]

    def update(self, sid: str, fields: Fields, path: str) -> CallRecord:
        """Change a call that goes on (``POST Calls/{sid}.json``).

        Raises:
            RestError: there is none, it has ended, or the form is wrong.
        """
        record, call = self.find(sid, path), self._calls.get(sid)
        status = fields.one_of("Status", "", ("", CallStatus.COMPLETED, CallStatus.CANCELED))
        document = read_document(fields)
        if record.is_over or call is None:
            raise call_is_over()
        if "StatusCallback" in fields:
            call.report_to(Subscription(fields.url("StatusCallback"), call.order.progress.events))
        if document is not None:
            call.redirect(document)
        # ``canceled`` leaves a call alone that has been answered.
        if status == CallStatus.COMPLETED or (status and record.status is not CallStatus.IN_PROGRESS):
            call.hang_up()
        return record

    def calls(self) -> Iterable[PhoneCall]:
        """Give the calls that are kept, in the order in which they came."""
        return tuple(self._calls.values())

    async def _start(self, order: CallOrder, callee: Callee, direction: str) -> PhoneCall:
        cues = await self._sounds(callee)
        record = CallRecord(self._parties(order, direction))
        record.queue_ms = self._queue_ms() if direction == "outbound-api" else 0
        call = PhoneCall(order, record, callee, cues, self._facilities, self.settings.seed + len(self.records))
        self.records[record.sid] = record
        self._calls[record.sid] = call
        task = asyncio.create_task(self._live(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return call

    async def _live(self, call: PhoneCall) -> None:
        await call.run()
        self._finished.append(call.record.sid)
        if len(self._finished) > self.settings.keep_calls:
            del self._calls[self._finished.popleft()]

    def _queue_ms(self) -> int:
        """Give the time until the next call may be dialled, and take that turn."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next_dial_s)
        self._next_dial_s = turn + 1 / self.settings.limits.calls_per_s
        return round((turn - now) * 1000)

    async def _sounds(self, callee: Callee) -> tuple[Cue, ...]:
        if callee not in self._rehearsed:
            if self._speaker is None and callee.script.speaks:
                self._speaker = Speaker()
            self._rehearsed[callee] = await asyncio.to_thread(rehearse, callee.script, self._speaker)
        return self._rehearsed[callee]

    def _parties(self, order: CallOrder, direction: str) -> Parties:
        return Parties(self.settings.account.account_sid, made_up_sid("CA"), order.from_, order.to, direction)

    def _check(self, order: CallOrder) -> None:
        """Refuse a call that this account may not make."""
        account, limits = self.settings.account, self.settings.limits
        if account.is_test and order.from_ != TEST_NUMBER:
            number = 21212 if order.from_ == _INVALID_FROM else 21210
            raise RestError(number, f"The source phone number {order.from_} is not usable by this account")
        if order.from_ not in {one.phone_number for one in self.numbers.values()}:
            raise RestError(21210, f"Source phone number {order.from_} is not yet verified for your account.")
        if order.to in _TEST_TO:
            number, message = _TEST_TO[order.to]
            raise RestError(number, f"{message}: {order.to}")
        if not is_number(order.to):
            raise RestError(21211, f"The 'To' number {order.to} is not a valid phone number.")
        if account.allowed_prefixes and not order.to.startswith(account.allowed_prefixes):
            raise RestError(21215, f"Account not authorized to call {order.to}.")
        if order.to in account.blocked:
            raise RestError(21216, f"Account not allowed to call {order.to}.")
        if account.verified is not None and order.to not in account.verified:
            raise RestError(21219, f"The number {order.to} is unverified. Trial accounts may call verified ones only.")
        live = sum(not record.is_over for record in self.records.values())
        if limits.calls_at_once is not None and live >= limits.calls_at_once:
            raise RestError(10004, "Call concurrency limit exceeded", status=429)

    async def _dial(self, line: Line, verb: twiml.Dial) -> Dialled:
        """Dial a second leg for a call."""
        first = line.parties
        parties = replace(
            first,
            call_sid=made_up_sid("CA"),
            caller=verb.caller_id or first.caller,
            called=verb.number,
            direction="outbound-dial",
            parent_sid=first.call_sid,
        )
        if not is_number(verb.number):
            return Dialled("failed", 0, parties.call_sid)
        record = CallRecord(parties)
        self.records[record.sid] = record

        def emit(kind: EventKind, text: str, value: int | None) -> None:
            self._facilities.on_event(record.sid, Event(0, kind, text, value))

        callee = self.settings.directory.callee(verb.number)
        return await dial_second_leg(verb, record, callee, replace(line, parties=parties), self.settings.pace, emit)
