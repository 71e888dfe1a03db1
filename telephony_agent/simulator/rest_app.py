"""Twilio's REST API over HTTP, as far as a voice agent asks for it, with its refusals and its bad days.

Under ``/2010-04-01/Accounts/{AccountSid}``: ``Calls`` (create, fetch, list, update), ``IncomingPhoneNumbers`` (fetch,
list, update), ``Recordings`` (fetch, list, delete, the audio as ``.wav``), and the account itself.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import fields as fields_of
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from telephony_agent.simulator.call_record import CallRecord
from telephony_agent.simulator.exchange import Exchange, Number
from telephony_agent.simulator.rest_error import RestError, not_authenticated, not_found, too_many_requests, wrong_field
from telephony_agent.simulator.rest_faults import FaultDraw, RequestKind, RestFault
from telephony_agent.simulator.rest_json import call_json, number_json, page_json, recording_json
from telephony_agent.simulator.rest_order import Fields
from telephony_agent.simulator.speech import SpeechError

ABORT: Final = "twin.abort"
"""Where the server puts, in each request's scope, what cuts its connection."""

_ROOT: Final = "/2010-04-01/Accounts/{account_sid}"
_NUMBER_FIELDS: Final = {
    "".join(word.capitalize() for word in field.name.split("_")): field.name
    for field in fields_of(Number)
    if field.name != "phone_number"
}
_URL_FIELDS: Final = frozenset({"VoiceUrl", "VoiceFallbackUrl", "StatusCallback"})
_METHOD_FIELDS: Final = frozenset({"VoiceMethod", "VoiceFallbackMethod", "StatusCallbackMethod"})

_Work = Callable[[Request], Awaitable[Response]]


class RestApi:
    """The API of one exchange; ``routes`` are to be mounted at the root."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._account = exchange.settings.account
        self._faults = exchange.settings.rest_faults
        self._draw = FaultDraw(self._faults, exchange.settings.seed)
        self._asked_s: deque[float] = deque()

    @property
    def routes(self) -> list[Route]:
        """Every route, with what it does and which faults can strike it."""
        calls, numbers, recordings = f"{_ROOT}/Calls", f"{_ROOT}/IncomingPhoneNumbers", f"{_ROOT}/Recordings"
        kind = RequestKind
        return [
            self._route(f"{_ROOT}.json", "GET", None, self._fetch_account),
            self._route(f"{calls}.json", "POST", kind.CREATE_CALL, self._create_call),
            self._route(f"{calls}.json", "GET", kind.LIST_CALLS, self._list_calls),
            self._route(f"{calls}/{{sid}}.json", "GET", kind.FETCH_CALL, self._fetch_call),
            self._route(f"{calls}/{{sid}}.json", "POST", kind.UPDATE_CALL, self._update_call),
            self._route(f"{calls}/{{call_sid}}/Recordings.json", "GET", kind.RECORDINGS, self._list_recordings),
            self._route(f"{numbers}.json", "GET", kind.NUMBERS, self._list_numbers),
            self._route(f"{numbers}/{{sid}}.json", "GET", kind.NUMBERS, self._fetch_number),
            self._route(f"{numbers}/{{sid}}.json", "POST", kind.NUMBERS, self._update_number),
            self._route(f"{recordings}.json", "GET", kind.RECORDINGS, self._list_recordings),
            self._route(f"{recordings}/{{sid}}.json", "GET", kind.RECORDINGS, self._fetch_recording),
            self._route(f"{recordings}/{{sid}}.json", "DELETE", kind.RECORDINGS, self._delete_recording),
            self._route(f"{recordings}/{{sid}}.wav", "GET", kind.RECORDINGS, self._play_recording),
            *(self._route(f"{_ROOT}/{{rest:path}}", method, None, self._miss) for method in ("GET", "POST", "DELETE")),
        ]

    def _route(self, path: str, method: str, kind: RequestKind | None, work: _Work) -> Route:
        return Route(path, partial(self._answer, kind=kind, work=work), methods=[method])

    async def _miss(self, request: Request) -> Response:
        raise not_found(request.url.path)

    async def _answer(self, request: Request, *, kind: RequestKind | None, work: _Work) -> Response:
        try:
            self._admit(request)
            fault = self._draw.draw(kind) if kind is not None else None
            return await self._suffer(fault, request, work)
        except RestError as error:
            headers = {401: {"WWW-Authenticate": 'Basic realm="Twilio API"'}, 429: {"Retry-After": "1"}}
            return JSONResponse(error.body(), error.status, headers.get(error.status))
        except SpeechError as error:
            return JSONResponse(RestError(20500, str(error), status=500).body(), 500)

    async def _suffer(self, fault: RestFault | None, request: Request, work: _Work) -> Response:
        """Do what was asked, or go wrong before or after."""
        match fault:
            case None:
                return await work(request)
            case RestFault.DELAY:
                await asyncio.sleep(self._faults.delay_ms / 1000)
                return await work(request)
            case RestFault.TIMEOUT_BEFORE:
                return _Cut(self._faults.hold_ms)
            case RestFault.TIMEOUT_AFTER:
                await work(request)
                return _Cut(self._faults.hold_ms)
            case RestFault.CUT_BEFORE:
                return _Cut(0)
            case RestFault.CUT_AFTER:
                await work(request)
                return _Cut(0)
            case RestFault.ERROR_500:
                raise RestError(20500, "An internal server error has occurred", status=500)
            case RestFault.ERROR_503:
                raise RestError(20503, "Service unavailable", status=503)
            case RestFault.TOO_MANY:
                raise too_many_requests()

    def _admit(self, request: Request) -> None:
        """Check who asks, and how often.

        Raises:
            RestError: not with these credentials, not now, or never with test credentials.
        """
        user, password = _credentials(request)
        secrets = {self._account.account_sid: self._account.auth_token, **self._account.api_keys}
        if not hmac.compare_digest(secrets.get(user, "").encode(), password.encode()) or not password:
            raise not_authenticated()
        if request.path_params["account_sid"] != self._account.account_sid:
            raise not_found(request.url.path)
        if self._account.is_test and request.method != "POST":
            raise RestError(20008, "Resource not accessible with Test Account Credentials", status=403)
        limit = self._exchange.settings.limits.requests_per_s
        if limit is None:
            return
        now = asyncio.get_running_loop().time()
        while self._asked_s and self._asked_s[0] <= now - 1:
            self._asked_s.popleft()
        if len(self._asked_s) >= limit:
            raise too_many_requests()
        self._asked_s.append(now)

    async def _fetch_account(self, request: Request) -> Response:
        sid = self._account.account_sid
        account = {"sid": sid, "friendly_name": "twin", "status": "active", "type": "Full", "uri": request.url.path}
        return JSONResponse(account)

    async def _create_call(self, request: Request) -> Response:
        return JSONResponse(call_json(await self._exchange.place(await _form(request))), 201)

    async def _fetch_call(self, request: Request) -> Response:
        return JSONResponse(call_json(self._exchange.find(request.path_params["sid"], request.url.path)))

    async def _update_call(self, request: Request) -> Response:
        sid, form = request.path_params["sid"], await _form(request)
        return JSONResponse(call_json(self._exchange.update(sid, form, request.url.path)))

    async def _list_calls(self, request: Request) -> Response:
        query = _query(request)
        wanted = [record for record in reversed(self._exchange.records.values()) if _matches(record, query)]
        return JSONResponse(page_json("calls", [call_json(one) for one in wanted], request.url.path, query))

    async def _list_numbers(self, request: Request) -> Response:
        query = _query(request)
        wanted = query.text("PhoneNumber").lstrip("+*").rstrip("*")
        found = [number for number in self._exchange.numbers.values() if wanted in number.phone_number]
        items = [number_json(number, self._account.account_sid) for number in found]
        return JSONResponse(page_json("incoming_phone_numbers", items, request.url.path, query))

    async def _fetch_number(self, request: Request) -> Response:
        return JSONResponse(number_json(self._number(request), self._account.account_sid))

    async def _update_number(self, request: Request) -> Response:
        form = await _form(request, keep_blank=True)
        changes: dict[str, Any] = {}
        for name, value in form.plain().items():
            if name in _NUMBER_FIELDS:
                changes[_NUMBER_FIELDS[name]] = _setting(form, name, value)
        number = replace(self._number(request), **changes)
        self._exchange.numbers[number.sid] = number
        return JSONResponse(number_json(number, self._account.account_sid))

    def _number(self, request: Request) -> Number:
        sid = request.path_params["sid"]
        if sid not in self._exchange.numbers:
            raise not_found(request.url.path)
        return self._exchange.numbers[sid]

    async def _list_recordings(self, request: Request) -> Response:
        query = _query(request)
        call_sid = request.path_params.get("call_sid") or query.text("CallSid")
        listed = self._exchange.recordings.listed(call_sid)
        items = [recording_json(one, self._account.account_sid) for one in listed]
        return JSONResponse(page_json("recordings", items, request.url.path, query))

    async def _fetch_recording(self, request: Request) -> Response:
        recording = self._exchange.recordings.find(request.path_params["sid"], request.url.path)
        return JSONResponse(recording_json(recording, self._account.account_sid))

    async def _delete_recording(self, request: Request) -> Response:
        self._exchange.recordings.delete(request.path_params["sid"], request.url.path)
        return Response(status_code=204)

    async def _play_recording(self, request: Request) -> Response:
        recording = self._exchange.recordings.find(request.path_params["sid"], request.url.path)
        return Response(recording.wav, media_type="audio/x-wav")


class _Cut(Response):
    """Gives no answer: holds the request until the client goes away, at most ``hold_ms``, and cuts the connection."""

    def __init__(self, hold_ms: int) -> None:
        super().__init__()
        self._hold_s = hold_ms / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._hold_s):
                await _gone(receive)
        except TimeoutError:
            scope[ABORT]()
            await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


def _credentials(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise not_authenticated()
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise not_authenticated() from error
    return user, password


async def _form(request: Request, *, keep_blank: bool = False) -> Fields:
    body = (await request.body()).decode(errors="replace")
    return Fields(parse_qsl(body, keep_blank_values=keep_blank), keep_blank=keep_blank)


def _setting(form: Fields, name: str, value: str) -> str:
    """Check a number's setting; a blank one takes it back."""
    if name in _URL_FIELDS:
        return form.url(name)
    if name in _METHOD_FIELDS:
        return form.method(name) if value else "POST"
    return value


def _query(request: Request) -> Fields:
    return Fields(request.query_params.multi_items())


def _matches(record: CallRecord, query: Fields) -> bool:
    """Tell whether a call passes a list's filters; one that isn't dialled yet counts by when it was created."""
    parties = record.parties
    asked = {
        "To": parties.called,
        "From": parties.caller,
        "Status": record.status.value,
        "ParentCallSid": parties.parent_sid,
    }
    if any(name in query and query.text(name) != value for name, value in asked.items()):
        return False
    started, ended = record.started or record.created, record.ended
    return _in_time(started, "StartTime", query) and _in_time(ended, "EndTime", query)


def _in_time(moment: datetime | None, name: str, query: Fields) -> bool:
    """Apply ``Name``, ``Name<`` and ``Name>``: on that day, and until or from that moment or day on."""
    bounds = {sign: query.text(name + sign) for sign in ("", "<", ">") if name + sign in query}
    if not bounds:
        return True
    if moment is None:
        return False
    for sign, text in bounds.items():
        at = _moment(name + sign, text)
        whole_day = len(text) == len("2026-01-31")
        if sign == "" and moment.date() != at.date():
            return False
        if sign == ">" and moment < at:
            return False
        if sign == "<" and (moment.date() > at.date() if whole_day else moment > at):
            return False
    return True


def _moment(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise wrong_field(name, text) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
