"""Twilio's webhooks from the end of a stream on: the way back to the agent, and the way to a person.

A person is rung by ``connect.xml``. Who answers is told what the call is about (``whisper``) and takes it with a key
(``joined``); a mailbox presses none. When that second leg is over (``transferred``), the caller's call is as well, if a
person took it; else the caller comes back to the agent, who remembers everything.

After a fault there is no agent to come back to: the person is rung by ``transfer.xml``, with an apology to the caller
first, is told of the call as far as it is known, and a caller whom nobody took hears a goodbye.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from loguru import logger
from starlette.requests import Request
from starlette.responses import Response

from telephony_agent.live.call import After, Call
from telephony_agent.web.owners import owned
from telephony_agent.web.site import Site, site_of
from telephony_agent.web.webhooks import Form, signed

TAKES_IT = "1"
"""The key by which a person takes a call."""
_E164 = re.compile(r"\+[1-9]\d{6,14}")


@signed
@owned
async def stream_ended(request: Request, form: Form) -> Response:
    """Say what follows the stream: hang up, ring the person that the caller wants, or go on in another stream.

    After a fault: apologise, and ring a person where a number is set.
    """
    site, call_sid = site_of(request), form.get("CallSid", "")
    call = _call(site, call_sid)
    # A call that is unknown has a person waiting on it.
    after = site.switchboard.after_stream(call) if site.switchboard is not None and call is not None else After.APOLOGY
    logger.bind(call_sid=call_sid, after=after.value).info("The stream has ended")
    match after:
        case After.PERSON if call is not None:
            return _twiml(_to_person(site, call))
        case After.AGENT if call is not None:
            return _twiml(_to_agent(site, call) or _apology(site, call))
        case After.GOODBYE:
            return _twiml(site.documents.goodbye())
        case _:
            return _twiml(_apology(site, call))


@signed
@owned
async def whisper(request: Request, form: Form) -> Response:
    """Tell the person who answered what the call is about, and ask whether they take it."""
    site, call_id = site_of(request), request.query_params.get("call", "")
    call = _call(site, call_id)
    if site.switchboard is None or call is None:
        return _twiml(site.documents.goodbye())
    joined_url = _url_of(site, "/twilio/joined", call)
    return _twiml(site.documents.whisper(summary=call.whisper, joined_url=joined_url, language=call.language))


@signed
@owned
async def joined(request: Request, form: Form) -> Response:
    """Take the key of the person who was told of a call: join the two, or hang up on that person."""
    site, call_id = site_of(request), request.query_params.get("call", "")
    call = _call(site, call_id)
    takes_it = form.get("Digits") == TAKES_IT and call is not None
    logger.bind(call_id=call_id, takes_it=takes_it).info("A person has answered")
    if site.switchboard is None or call is None or not takes_it:
        return _twiml(site.documents.goodbye())
    site.switchboard.taken(call)
    return _twiml(site.documents.joined())


@signed
@owned
async def transferred(request: Request, form: Form) -> Response:
    """Say what follows a person's leg, or the try to get one: if nobody took the call, the agent, or a goodbye."""
    site, call_sid = site_of(request), form.get("CallSid", "")
    call = _call(site, request.query_params.get("call", "") or call_sid)
    status = form.get("DialCallStatus", "")
    logger.bind(call_sid=call_sid, status=status).info("The person's leg is over")
    if call is None:
        # Nobody knows whether a person was there: this process has not been here for long.
        talked = status == "completed"
        return _twiml(site.documents.goodbye() if talked else site.documents.unavailable(site.language))
    if call.taken:
        return _twiml(site.documents.goodbye())
    return _twiml(_to_agent(site, call) or site.documents.unavailable(call.language))


def _call(site: Site, call_id: str) -> Call | None:
    return site.switchboard.find(call_id) if site.switchboard is not None else None


def _to_agent(site: Site, call: Call) -> str:
    """Return the document that connects a caller to the agent once more; nothing where that can't be."""
    token = site.switchboard.recall(call) if site.switchboard is not None else None
    if token is None:
        return ""
    return site.documents.answer(
        stream_url=site.stream_url,
        ended_url=site.url("/twilio/stream-ended"),
        parameters={"token": token, "direction": call.direction},
    )


def _to_person(site: Site, call: Call) -> str:
    return site.documents.connect(
        number=site.transfer_number,
        dialled_url=_url_of(site, "/twilio/transferred", call),
        whisper_url=_url_of(site, "/twilio/whisper", call),
        caller_id=_our_number(call),
    )


def _apology(site: Site, call: Call | None) -> str:
    """Return the apology after a fault, with a person where there is one; they are told of a call that is known."""
    language = call.language if call is not None else site.language
    if not site.transfer_number:
        return site.documents.apology(language)
    if call is None:
        dialled_url = site.url("/twilio/transferred")
        return site.documents.transfer(number=site.transfer_number, dialled_url=dialled_url, language=language)
    return site.documents.transfer(
        number=site.transfer_number,
        dialled_url=_url_of(site, "/twilio/transferred", call),
        whisper_url=_url_of(site, "/twilio/whisper", call),
        caller_id=_our_number(call),
        language=language,
    )


def _our_number(call: Call) -> str:
    """Return our number in a call; nothing where it isn't one that can be shown."""
    ours = call.from_number if call.outbound else call.to_number
    return ours if _E164.fullmatch(ours) else ""


def _url_of(site: Site, path: str, call: Call) -> str:
    """Return the URL of a webhook with the call in it: the person's leg has a CallSid of its own."""
    return site.url(f"{path}?call={quote(call.call_id, safe='')}")


def _twiml(document: str) -> Response:
    return Response(document, media_type="text/xml")
