"""Twilio behind the ``Carrier`` Protocol, over the twilio package.

The package is synchronous; its calls run in a few threads of their own, so the event loop never waits.

**What is repeated.** Reading, and changes that come to the same when done twice (hanging up, a number's configuration,
deleting), are repeated after a fault. Placing a call and redirecting one are not, unless Twilio can't have done it:
nothing was sent, or the answer was 429, which Twilio promises never to have processed (docs/api/errors/20429).

**When placing a call gets no clear answer** (cut off, timed out, 5xx, garbage), the call list is asked. A list shows no
id of ours, only numbers, direction and time; so ours is the one call of the API between the two numbers that was
created since we began and that no other ``Dial`` was given. None, after the last look, or several: unclear, and the
caller must not dial again; the webhooks, whose URLs carry our id, will tell. The list is not filtered by start time: a
queued call has none yet. Nor has it a creation time (as captured), so a call without one counts as new while it lasts.

Our clock may be off Twilio's by ``CLOCK_SLACK_S``; a larger error makes a call unfindable, never dialled twice.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, TypeVar

from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from telephony_agent.carrier.carrier import CarrierRecording, Dial, PhoneNumber, PlacedCall, VoiceRoute
from telephony_agent.carrier.twilio_errors import NOT_IN_PROGRESS, rejection
from telephony_agent.carrier.twilio_http import HttpLimits, NoAnswer, Refused, TwilioHttp
from telephony_agent.errors import CarrierError, CarrierRejected, CarrierUnreachable, LocalProtocolError, SettingError
from telephony_agent.settings import TwilioSettings

TWIML_LIMIT = 4000
"""Characters of a TwiML document that is sent with a request."""
CLOCK_SLACK_S = 5.0
_LISTED_CALLS = 500
_LISTED_NUMBERS = 1000
_REMEMBERED_DIALS = 10_000
_TOO_MANY, _NOT_FOUND = 429, 404

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and when something is tried again; each entry is the pause before one more attempt.

    Attributes:
        pauses_s: before a repeat.
        retry_after_max_s: a longer pause that Twilio asks for is kept up to here; beyond, the error is raised at once.
        look_pauses_s: before each look at the call list for a call whose placing is unclear.
    """

    pauses_s: tuple[float, ...] = (0.5, 1.0, 2.0)
    retry_after_max_s: float = 10.0
    look_pauses_s: tuple[float, ...] = (1.0, 5.0)


class _Effect(Enum):
    """What a second try of the same request does."""

    NOTHING = auto()
    """It only reads."""
    SAME = auto()
    """It comes to the same."""
    AGAIN = auto()
    """It does it once more."""


@dataclass(slots=True)
class _Attempt:
    """What became of a dial: never sent, perhaps placed (at or after ``since``), placed."""

    since: datetime | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    placed: PlacedCall | None = None


class TwilioCarrier:
    """Twilio's control plane; one for a process. Close it when done."""

    def __init__(
        self,
        account: TwilioSettings,
        api_url: str,
        *,
        limits: HttpLimits | None = None,
        patience: Patience | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            account: its first auth token is used.
            api_url: the origin of the REST API (``ServerSettings.twilio_api_url``).
            limits: of each HTTP request.
            patience: when something is tried again.
            clock: the time in UTC.
            sleep: waits so many seconds.

        Raises:
            SettingError: the account's SID or token is not set.
        """
        wanted = {"TWILIO_ACCOUNT_SID": account.account_sid, "TWILIO_AUTH_TOKEN": account.auth_tokens}
        missing = [name for name, value in wanted.items() if not value]
        if missing:
            raise SettingError(f"{' and '.join(missing)}: not set, but needed to ask Twilio for anything; see .env")
        limits = limits or HttpLimits()
        self._http = TwilioHttp(limits)
        self._client = Client(
            account.account_sid,
            account.auth_tokens[0],
            http_client=self._http,
            # An empty one would make the package read the process' own environment.
            environment={"": ""},
        )
        self._client.api.base_url = api_url
        self._threads = ThreadPoolExecutor(limits.connections, thread_name_prefix="twilio")
        self._patience = patience or Patience()
        self._clock = clock
        self._sleep = sleep
        self._attempts: OrderedDict[str, _Attempt] = OrderedDict()

    async def aclose(self) -> None:
        """Wait for requests under way, then close all connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._http.close()

    async def create(self, dial: Dial) -> PlacedCall:
        """Place a call, at most once for each ``call_id``; see ``Carrier.create``."""
        attempt = self._attempt(dial.call_id)
        async with attempt.lock:
            if attempt.placed is None:
                if attempt.since is None:
                    attempt.placed = await self._place_once(dial, attempt)
                else:
                    attempt.placed = await self._look_for(dial, attempt.since)
            return attempt.placed

    async def hang_up(self, sid: str) -> PlacedCall:
        """End a call; one that is over already is returned as it is."""
        try:
            return await self._ask(lambda: _call(self._client.calls(sid).update(status="completed")), _Effect.SAME)
        except CarrierRejected as refused:
            if refused.carrier_code != NOT_IN_PROGRESS:
                raise
        return await self.fetch(sid)

    async def redirect(self, sid: str, *, url: str = "", twiml: str = "") -> PlacedCall:
        """Give a live call other TwiML; see ``Carrier.redirect``."""
        if bool(url) == bool(twiml):
            raise LocalProtocolError("a call is redirected to a URL or to a document, one of the two")
        if len(twiml) > TWIML_LIMIT:
            raise LocalProtocolError(f"a document has {len(twiml)} characters, allowed are {TWIML_LIMIT}")
        change = {"url": url, "method": "POST"} if url else {"twiml": twiml}
        return await self._ask(lambda: _call(self._client.calls(sid).update(**change)), _Effect.AGAIN)

    async def fetch(self, sid: str) -> PlacedCall:
        """Ask how a call is."""
        return await self._ask(lambda: _call(self._client.calls(sid).fetch()), _Effect.NOTHING)

    async def find(self, *, to_number: str, from_number: str, since: datetime) -> list[PlacedCall]:
        """List the calls from one number to another since a moment (to the second)."""

        def listed() -> list[PlacedCall]:
            calls = self._client.calls.list(to=to_number, from_=from_number, limit=_LISTED_CALLS)
            return [_call(call) for call in calls]

        earliest = since.replace(microsecond=0)
        found = await self._ask(listed, _Effect.NOTHING)
        # A twin may ignore the filter; the numbers are compared once more, since much hangs on it.
        return [
            call
            for call in found
            if (call.to_number, call.from_number) == (to_number, from_number)
            and (call.created_at >= earliest if call.created_at else not call.is_over)
        ]

    async def numbers(self) -> list[PhoneNumber]:
        """List the account's numbers."""
        return await self._ask(
            lambda: [_number(item) for item in self._client.incoming_phone_numbers.list(limit=_LISTED_NUMBERS)],
            _Effect.NOTHING,
        )

    async def number(self, number: str) -> PhoneNumber | None:
        """Find one of the account's numbers, in E.164."""
        # Twilio's filter also finds parts of a number.
        found = await self._ask(
            lambda: [_number(item) for item in self._client.incoming_phone_numbers.list(phone_number=number)],
            _Effect.NOTHING,
        )
        return next((item for item in found if item.number == number), None)

    async def configure_number(self, sid: str, route: VoiceRoute) -> PhoneNumber:
        """Set where a number's calls go; the answer is what Twilio made of it."""
        fields: dict[str, str] = {
            "voice_url": route.voice_url,
            "voice_method": route.voice_method or "POST",
            "voice_fallback_url": route.fallback_url,
            "voice_fallback_method": route.fallback_method or "POST",
            "status_callback": route.status_url,
            "status_callback_method": route.status_method or "POST",
        }
        # Setting one of the two deletes the other, so the other is not named; to have neither, both are emptied.
        if route.application_sid or not route.trunk_sid:
            fields["voice_application_sid"] = route.application_sid
        if route.trunk_sid or not route.application_sid:
            fields["trunk_sid"] = route.trunk_sid
        return await self._ask(lambda: _number(self._client.incoming_phone_numbers(sid).update(**fields)), _Effect.SAME)

    async def recordings(self, call_sid: str) -> list[CarrierRecording]:
        """List a call's recordings at Twilio."""
        return await self._ask(
            lambda: [_recording(item) for item in self._client.recordings.list(call_sid=call_sid, limit=_LISTED_CALLS)],
            _Effect.NOTHING,
        )

    async def delete_recording(self, sid: str) -> None:
        """Delete a recording at Twilio; one that is gone already is fine."""
        try:
            await self._ask(lambda: self._client.recordings(sid).delete(), _Effect.SAME)
        except CarrierRejected as refused:
            if refused.http_status != _NOT_FOUND:
                raise

    async def _place_once(self, dial: Dial, attempt: _Attempt) -> PlacedCall:
        # Stays set if we are cancelled: the thread goes on, and the call may be placed.
        attempt.since = self._clock() - timedelta(seconds=CLOCK_SLACK_S)
        try:
            return await self._place(dial)
        except CarrierUnreachable as error:
            if error.unclear:
                return await self._look_for(dial, attempt.since)
            attempt.since = None
            raise
        except CarrierRejected:
            attempt.since = None
            raise

    def _attempt(self, call_id: str) -> _Attempt:
        attempt = self._attempts.get(call_id)
        if attempt is None:
            attempt = self._attempts[call_id] = _Attempt()
            if len(self._attempts) > _REMEMBERED_DIALS:
                self._attempts.popitem(last=False)
        return attempt

    async def _place(self, dial: Dial) -> PlacedCall:
        fields: dict[str, Any] = {
            "to": dial.to_number,
            "from_": dial.from_number,
            "url": dial.voice_url,
            "method": "POST",
            "timeout": dial.ring_timeout_s,
            "time_limit": dial.time_limit_s,
        }
        if dial.status_url:
            fields |= {
                "status_callback": dial.status_url,
                "status_callback_event": [event.value for event in dial.status_events],
                "status_callback_method": "POST",
            }
        if dial.detection:
            fields |= {
                "machine_detection": dial.detection.value,
                "async_amd": "true",
                "async_amd_status_callback": dial.detection_url,
                "async_amd_status_callback_method": "POST",
            }
        return await self._ask(lambda: _call(self._client.calls.create(**fields)), _Effect.AGAIN)

    async def _look_for(self, dial: Dial, since: datetime) -> PlacedCall:
        """Find a call that may have been placed.

        Raises:
            CarrierUnreachable: it isn't there (yet), or several could be it; always unclear.
        """
        reason = "no call is listed (yet)"
        for pause_s in self._patience.look_pauses_s:
            await self._sleep(pause_s)
            try:
                found = await self.find(to_number=dial.to_number, from_number=dial.from_number, since=since)
            except CarrierError as error:
                reason = f"the call list can't be read: {error}"
                continue
            others = {attempt.placed.sid for attempt in self._attempts.values() if attempt.placed}
            ours = [call for call in found if call.direction == "outbound-api" and call.sid not in others]
            match ours:
                case [call]:
                    return call
                case [_, *_]:
                    reason = "several calls could be this one"
        raise CarrierUnreachable(f"whether the call was placed is unclear, don't dial again: {reason}", unclear=True)

    async def _ask(self, request: Callable[[], T], effect: _Effect) -> T:
        """Send a request in a thread; again after a fault, as far as its effect and our patience allow."""
        pauses = iter(self._patience.pauses_s)
        unclear = False
        error: CarrierError
        cause: Exception
        while True:
            wait_s = 0.0
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, _answered, request)
            except Refused as refused:
                error = rejection(refused.http_status, refused.carrier_code, refused.message)
                if refused.http_status != _TOO_MANY or refused.retry_after_s > self._patience.retry_after_max_s:
                    raise error from refused
                wait_s, cause = refused.retry_after_s, refused
            except NoAnswer as silence:
                unclear = unclear or (silence.sent and effect is not _Effect.NOTHING)
                error = CarrierUnreachable(f"no usable answer from Twilio: {silence}", unclear=unclear)
                if silence.sent and effect is _Effect.AGAIN:
                    raise error from silence
                cause = silence
            pause_s = next(pauses, None)
            if pause_s is None:
                raise error from cause
            await self._sleep(max(pause_s, wait_s))


def _answered(request: Callable[[], T]) -> T:
    """Run a request; an answer of a shape that the package does not expect is none.

    Raises:
        Refused: Twilio said no.
        NoAnswer: there is no answer that we can use.
    """
    try:
        return request()
    except (TwilioException, AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoAnswer(f"the answer was not understood ({type(error).__name__})", sent=True) from None


def _call(item: Any) -> PlacedCall:
    return PlacedCall(
        sid=_required(item.sid),
        status=_required(item.status),
        to_number=item.to or "",
        # The package gives the field this name, since ``from`` is a word of Python's.
        from_number=item._from or "",
        direction=item.direction or "",
        created_at=item.date_created,
        duration_s=_seconds(item.duration),
        answered_by=item.answered_by or "",
    )


def _number(item: Any) -> PhoneNumber:
    return PhoneNumber(
        sid=_required(item.sid),
        number=_required(item.phone_number),
        friendly_name=item.friendly_name or "",
        can_voice=bool((item.capabilities or {}).get("voice")),
        route=VoiceRoute(
            voice_url=item.voice_url or "",
            voice_method=item.voice_method or "POST",
            fallback_url=item.voice_fallback_url or "",
            fallback_method=item.voice_fallback_method or "POST",
            status_url=item.status_callback or "",
            status_method=item.status_callback_method or "POST",
            application_sid=item.voice_application_sid or "",
            trunk_sid=item.trunk_sid or "",
        ),
    )


def _recording(item: Any) -> CarrierRecording:
    return CarrierRecording(
        sid=_required(item.sid),
        call_sid=item.call_sid or "",
        status=item.status or "",
        created_at=item.date_created,
        duration_s=_seconds(item.duration),
    )


def _required(value: str | None) -> str:
    """Return what must be there.

    Raises:
        ValueError: it isn't.
    """
    if not isinstance(value, str) or not value:
        raise ValueError("a field that is always there is missing")
    return value


def _seconds(value: str | None) -> int | None:
    """Read a duration; Twilio gives -1 for a recording that isn't finished."""
    return int(value) if value and int(value) >= 0 else None
