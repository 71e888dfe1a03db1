"""Twilio's webhooks: the voice document, and call progress. What follows the stream is ``after_stream``'s.

Every one is refused with 403 before anything else happens unless Twilio signed it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from urllib.parse import parse_qsl

from loguru import logger
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from telephony_agent.telemetry import mask_number
from telephony_agent.web.owners import owned, placing
from telephony_agent.web.site import site_of

_MAX_FORM_BYTES = 64 * 1024
_MAX_DIGITS = 9

Form = Mapping[str, str]
Webhook = Callable[[Request, Form], Awaitable[Response]]


def signed(webhook: Webhook) -> Callable[[Request], Awaitable[Response]]:
    """Let a webhook run, with its form, only for requests that Twilio signed; the others get 403."""

    @wraps(webhook)
    async def guarded(request: Request) -> Response:
        signatures = site_of(request).signatures
        if signatures is not None and "x-twilio-signature" not in request.headers:
            return _refused(request)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_FORM_BYTES:
                return PlainTextResponse("too large", status_code=413)
        # Blank fields are signed too, and nothing is trimmed.
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        if signatures is not None and not signatures.http(_signed_path(request), fields, request.headers):
            return _refused(request, sorted({name for name, _ in fields}))
        # For whom it may have to be passed on to: what was signed can't be told from the form.
        request.state.body = bytes(body)
        return await webhook(request, dict(fields))

    return guarded


def _refused(request: Request, fields: Sequence[str] = ()) -> Response:
    log = logger.bind(path=request.url.path, fields=",".join(fields))
    log.warning("A webhook without a valid signature was refused")
    return PlainTextResponse("invalid signature", status_code=403)


@signed
@placing
async def voice(request: Request, form: Form) -> Response:
    """Answer a call: connect it to our stream, or say why not."""
    site = site_of(request)
    call_sid = form.get("CallSid", "")
    if not call_sid:
        return PlainTextResponse("CallSid is missing", status_code=400)
    call_id = _call_id(request)
    direction = "outbound" if form.get("Direction", "").startswith("outbound") else "inbound"
    from_number, to_number = form.get("From", ""), form.get("To", "")
    log = logger.bind(call_sid=call_sid, direction=direction, caller=mask_number(from_number))
    language = site.language
    if site.switchboard is None or not site.ready:
        log.warning("A call was turned away: not ready")
        if call_id:
            return _twiml(site.documents.apology(language))
        return _twiml(site.documents.busy(language) if site.draining else site.documents.unavailable(language))
    token = site.switchboard.expect(
        call_sid, direction=direction, from_number=from_number, to_number=to_number, call_id=call_id
    )
    if token is None:
        # Who was called can't be told that the line is busy.
        return _twiml(site.documents.apology(language) if call_id else site.documents.busy(language))
    log.info("A call is expected")
    parameters = {"token": token, "direction": direction}
    return _twiml(
        site.documents.answer(
            stream_url=site.stream_url, ended_url=site.url("/twilio/stream-ended"), parameters=parameters
        )
    )


@signed
async def fallback(request: Request, form: Form) -> Response:
    """Answer for a voice webhook that failed: hand the caller to a person, or apologise."""
    site = site_of(request)
    number, language = site.transfer_number, site.language
    if not number:
        return _twiml(site.documents.apology(language))
    dialled_url = site.url("/twilio/transferred")
    return _twiml(site.documents.transfer(number=number, dialled_url=dialled_url, language=language))


@signed
@owned
async def status(request: Request, form: Form) -> Response:
    """Note a call's progress; callbacks may come twice and out of order."""
    site = site_of(request)
    sequence = form.get("SequenceNumber", "")
    if site.switchboard is not None:
        call_sid = form.get("CallSid", "")
        site.switchboard.note_status(
            _call_id(request) or call_sid,
            form.get("CallStatus", ""),
            int(sequence) if sequence.isdecimal() and len(sequence) <= _MAX_DIGITS else 0,
            call_sid=call_sid,
        )
    return Response(status_code=204)


@signed
@owned
async def answerer(request: Request, form: Form) -> Response:
    """Note who has answered a call of ours, as Twilio's detection has it."""
    site = site_of(request)
    if site.switchboard is not None:
        site.switchboard.note_answerer(_call_id(request) or form.get("CallSid", ""), form.get("AnsweredBy", ""))
    return Response(status_code=204)


def _call_id(request: Request) -> str:
    """Return our own id of a call that we placed; its webhooks' URLs carry it, and Twilio signs them."""
    return request.query_params.get("call", "")


def _signed_path(request: Request) -> str:
    """Return path and query as they stood in the request line: what was signed is not percent-decoded."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    path = raw.decode("latin-1").split("?", 1)[0]
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _twiml(document: str) -> Response:
    return Response(document, media_type="text/xml")
