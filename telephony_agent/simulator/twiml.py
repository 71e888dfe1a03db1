"""TwiML as the twin reads it: a document becomes verbs; what Twilio would refuse is refused with its number."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit, urlunsplit

from telephony_agent.errors import TelephonyAgentError
from telephony_agent.simulator.debugger import Code, Notice

PARAMETER_LIMIT = 500
"""Name and value of a ``<Parameter>`` must together be shorter than this many characters."""


class TwimlError(TelephonyAgentError):
    """Twilio would refuse this document or this verb; ``notice`` is what its console would say."""

    code = "twiml"

    def __init__(self, notice: Notice) -> None:
        super().__init__(str(notice))
        self.notice = notice


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a text to the caller with Twilio's own voice."""

    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Say nothing for a while."""

    length_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Play:
    """Play a file or keys; the twin plays neither and goes on."""

    url: str = ""
    digits: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on with the document at ``url``."""

    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect the caller to a second leg; afterwards ``action``, or the next verb.

    ``whisper_url`` is TwiML for whoever answers, before the two are connected (``<Number url>``).
    """

    number: str
    action: str = ""
    method: str = "POST"
    timeout_s: float = 30.0
    caller_id: str = ""
    whisper_url: str = ""
    whisper_method: str = "POST"


@dataclass(frozen=True, slots=True)
class Gather:
    """Say ``prompt`` and wait for keys; they are posted to ``action``. Where none is pressed the next verb follows."""

    action: str
    method: str = "POST"
    timeout_s: float = 5.0
    num_digits: int | None = None
    prompt: tuple[Say | Pause | Play, ...] = ()


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Don't answer the call; ``reason`` is ``rejected`` or ``busy``."""

    reason: str = "rejected"


@dataclass(frozen=True, slots=True)
class Connect:
    """Hand the call to a media stream until one side closes it; afterwards ``action``, or the next verb.

    ``url`` is the ``wss`` URL as written, without its query, which Twilio drops.
    """

    url: str
    action: str = ""
    method: str = "POST"
    name: str = ""
    status_callback: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


Verb = Say | Pause | Play | Redirect | Dial | Gather | Hangup | Reject | Connect


def parse(document: str, base_url: str) -> tuple[Verb, ...]:
    """Read a document; relative URLs are resolved against ``base_url``, where it came from.

    Raises:
        TwimlError: not well-formed (12100), or a verb or attribute that this twin does not know (12200).
    """
    try:
        root = ET.fromstring(document)  # noqa: S314 - the document is the user's own agent's
    except ET.ParseError as error:
        raise TwimlError(Notice(Code.DOCUMENT_PARSE_FAILURE, str(error))) from error
    if root.tag != "Response":
        raise TwimlError(Notice(Code.SCHEMA_VALIDATION, f"the root is <{root.tag}>, not <Response>"))
    return tuple(_verb(element, base_url) for element in root)


def _verb(element: ET.Element, base_url: str) -> Verb:
    attributes, text = element.attrib, "".join(element.itertext()).strip()
    method = attributes.get("method", "POST")
    match element.tag:
        case "Say":
            return Say(text)
        case "Pause":
            return Pause(_seconds(attributes.get("length", "1"), "<Pause length"))
        case "Play":
            return Play(text, attributes.get("digits", ""))
        case "Redirect":
            return Redirect(urljoin(base_url, text), method)
        case "Dial":
            return _dial(element, text, base_url)
        case "Gather":
            return _gather(element, base_url)
        case "Hangup":
            return Hangup()
        case "Reject":
            return Reject(attributes.get("reason", "rejected"))
        case "Connect":
            return _connect(element, base_url)
        case unknown:
            raise TwimlError(Notice(Code.SCHEMA_VALIDATION, f"<{unknown}> is not a verb that this twin obeys"))


def _dial(element: ET.Element, number: str, base_url: str) -> Dial:
    noun = element.find("Number")
    who = noun.attrib if noun is not None else {}
    return Dial(
        number=number,
        action=_resolved(element.get("action"), base_url),
        method=element.get("method", "POST"),
        timeout_s=_seconds(element.get("timeout", "30"), "<Dial timeout"),
        caller_id=element.get("callerId", ""),
        whisper_url=_resolved(who.get("url"), base_url),
        whisper_method=who.get("method", "POST"),
    )


def _gather(element: ET.Element, base_url: str) -> Gather:
    if element.get("input", "dtmf") != "dtmf":
        raise TwimlError(Notice(Code.SCHEMA_VALIDATION, "<Gather> hears keys here, no speech"))
    prompt = tuple(_verb(child, base_url) for child in element)
    spoken = tuple(verb for verb in prompt if isinstance(verb, Say | Pause | Play))
    if len(spoken) < len(prompt):
        raise TwimlError(Notice(Code.SCHEMA_VALIDATION, "<Gather> holds only <Say>, <Pause> and <Play>"))
    digits = element.get("numDigits", "")
    return Gather(
        action=_resolved(element.get("action", ""), base_url),
        method=element.get("method", "POST"),
        timeout_s=_seconds(element.get("timeout", "5"), "<Gather timeout"),
        num_digits=int(digits) if digits.isdecimal() else None,
        prompt=spoken,
    )


def _connect(element: ET.Element, base_url: str) -> Connect:
    stream = element.find("Stream")
    if stream is None or len(element) != 1:
        raise TwimlError(Notice(Code.SCHEMA_VALIDATION, "<Connect> must hold exactly one <Stream>"))
    track = stream.get("track", "inbound_track")
    if track != "inbound_track":
        raise TwimlError(Notice(Code.TRACK, f"track {track!r} under <Connect>"))
    return Connect(
        url=_stream_url(stream.get("url", "")),
        action=_resolved(element.get("action"), base_url),
        method=element.get("method", "POST"),
        name=stream.get("name", ""),
        status_callback=_resolved(stream.get("statusCallback"), base_url),
        parameters=dict(_parameter(child) for child in stream),
    )


def _stream_url(url: str) -> str:
    parts = urlsplit(url)
    if not parts.netloc:
        raise TwimlError(Notice(Code.MALFORMED_URL, repr(url)))
    if parts.scheme != "wss":
        raise TwimlError(Notice(Code.SCHEME, repr(url)))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def _parameter(element: ET.Element) -> tuple[str, str]:
    name, value = element.get("name"), element.get("value")
    if element.tag != "Parameter" or name is None or value is None:
        raise TwimlError(Notice(Code.SCHEMA_VALIDATION, "<Stream> holds only <Parameter name value>"))
    if len(name) + len(value) >= PARAMETER_LIMIT:
        raise TwimlError(Notice(Code.SCHEMA_VALIDATION, f"<Parameter name={name!r}> is {PARAMETER_LIMIT} or longer"))
    return name, value


def _resolved(url: str | None, base_url: str) -> str:
    return "" if url is None else urljoin(base_url, url)


def _seconds(text: str, where: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError as error:
        raise TwimlError(Notice(Code.SCHEMA_VALIDATION, f"{where}={text!r}>")) from error
