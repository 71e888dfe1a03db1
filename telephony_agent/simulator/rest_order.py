"""What a REST request asks for: the forms of ``POST Calls.json`` and ``POST Calls/{sid}.json``, read as Twilio does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from telephony_agent.simulator.amd import Detection, Thresholds
from telephony_agent.simulator.orders import Document
from telephony_agent.simulator.rest_error import RestError, wrong_field
from telephony_agent.simulator.webhooks import EVENTS, Subscription

DAY_LIMIT_S: Final = 4 * 3600
"""The longest call, when the order doesn't say (UNCONFIRMED)."""

_TWIML_LIMIT: Final = 4000
_DIGITS: Final = re.compile(r"[0-9A-D#*wW]{0,32}")
_NUMBER: Final = re.compile(r"\+[1-9]\d{6,14}")


class Fields:
    """A form by name: names may repeat; blank values are as good as none, unless they are kept to set a field blank."""

    def __init__(self, form: Iterable[tuple[str, str]], *, keep_blank: bool = False) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in form:
            if value or keep_blank:
                self._values.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, usual: str = "") -> str:
        """Give the last value of a name."""
        return self._values.get(name, [usual])[-1]

    def plain(self) -> dict[str, str]:
        """Give the last value of every name."""
        return {name: values[-1] for name, values in self._values.items()}

    def texts(self, name: str) -> list[str]:
        """Give all values of a name."""
        return self._values.get(name, [])

    def whole(self, name: str, usual: int, least: int, most: int) -> int:
        """Give a whole number.

        Raises:
            RestError: it is none, or out of bounds.
        """
        text = self.text(name, str(usual))
        if not text.isdecimal() or not least <= int(text) <= most:
            raise wrong_field(name, text)
        return int(text)

    def flag(self, name: str) -> bool:
        """Give ``true`` or ``false``.

        Raises:
            RestError: it is neither.
        """
        text = self.text(name, "false").lower()
        if text not in ("true", "false"):
            raise wrong_field(name, text)
        return text == "true"

    def one_of(self, name: str, usual: str, allowed: Iterable[str]) -> str:
        """Give one of the allowed values.

        Raises:
            RestError: it is another.
        """
        text = self.text(name, usual)
        if text not in allowed:
            raise wrong_field(name, text)
        return text

    def url(self, name: str) -> str:
        """Give an absolute URL, or nothing.

        Raises:
            RestError: it is no ``http`` or ``https`` URL with a host.
        """
        text = self.text(name)
        if text and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname):
            raise RestError(21205, f"Url is not a valid URL: {text}")
        return text

    def method(self, name: str) -> str:
        """Give an HTTP method, ``POST`` if it isn't said."""
        return self.one_of(name, "POST", ("GET", "POST"))


@dataclass(frozen=True, slots=True)
class RecordingOrder:
    """How a call is to be recorded, and whom to tell."""

    channels: int = 1
    callback: Subscription = field(default_factory=lambda: Subscription(""))


@dataclass(frozen=True, slots=True)
class DetectionOrder:
    """Whether and how to detect who answered; ``callback`` is for an asynchronous verdict."""

    detection: Detection = Detection.OFF
    thresholds: Thresholds = field(default_factory=Thresholds)
    is_asynchronous: bool = False
    callback: Subscription = field(default_factory=lambda: Subscription(""))


@dataclass(frozen=True, slots=True)
class CallOrder:
    """A call to make, or one that comes in."""

    to: str
    from_: str
    document: Document
    progress: Subscription = field(default_factory=lambda: Subscription(""))
    timeout_s: int = 60
    time_limit_s: int = DAY_LIMIT_S
    send_digits: str = ""
    detection: DetectionOrder = field(default_factory=DetectionOrder)
    recording: RecordingOrder | None = None


def read_order(fields: Fields) -> CallOrder:
    """Read the form of a new call; ``To`` is checked before ``Url``, as was observed.

    Raises:
        RestError: Twilio would not take it; nothing is said here of who may call whom.
    """
    if "To" not in fields:
        raise RestError(21201, "No 'To' number is specified")
    if "From" not in fields:
        raise RestError(21213, "From phone number is required.")
    if "Url" not in fields and "Twiml" not in fields:
        raise RestError(21205, "Url parameter is required.")
    digits = fields.text("SendDigits")
    if not _DIGITS.fullmatch(digits):
        raise wrong_field("SendDigits", digits)
    return CallOrder(
        to=fields.text("To"),
        from_=fields.text("From"),
        document=_document(fields, text="" if "Url" in fields else fields.text("Twiml")),
        progress=_progress(fields),
        timeout_s=fields.whole("Timeout", 60, 1, 600),
        time_limit_s=fields.whole("TimeLimit", DAY_LIMIT_S, 1, 24 * 3600),
        send_digits=digits,
        detection=DetectionOrder() if digits else _detection(fields),
        recording=_recording(fields) if fields.flag("Record") else None,
    )


def read_document(fields: Fields) -> Document | None:
    """Read what is to take the place of a live call's TwiML; nothing: ``None``.

    Raises:
        RestError: both a URL and TwiML, or one that can't be used.
    """
    if "Url" in fields and "Twiml" in fields:
        raise RestError(21200, "Url and Twiml are mutually exclusive")
    if "Url" not in fields and "Twiml" not in fields:
        return None
    return _document(fields, text=fields.text("Twiml"))


def is_number(text: str) -> bool:
    """Tell whether a text has the form of a telephone number (E.164)."""
    return bool(_NUMBER.fullmatch(text))


def _document(fields: Fields, *, text: str) -> Document:
    if len(text) > _TWIML_LIMIT:
        raise wrong_field("Twiml", f"longer than {_TWIML_LIMIT} characters")
    return Document(
        url=fields.url("Url"),
        method=fields.method("Method"),
        text=text,
        fallback_url=fields.url("FallbackUrl"),
        fallback_method=fields.method("FallbackMethod"),
    )


def _progress(fields: Fields) -> Subscription:
    said = {event for text in fields.texts("StatusCallbackEvent") for event in text.split()}
    if unknown := said - EVENTS:
        raise wrong_field("StatusCallbackEvent", min(unknown))
    return Subscription(
        fields.url("StatusCallback"), frozenset(said or {"completed"}), fields.method("StatusCallbackMethod")
    )


def _detection(fields: Fields) -> DetectionOrder:
    usual = Thresholds()
    name = "MachineDetection"
    return DetectionOrder(
        detection=Detection(fields.one_of(name, Detection.OFF, tuple(Detection))),
        thresholds=Thresholds(
            timeout_ms=1000 * fields.whole(f"{name}Timeout", usual.timeout_ms // 1000, 1, 120),
            speech_ms=fields.whole(f"{name}SpeechThreshold", usual.speech_ms, 1000, 6000),
            speech_end_ms=fields.whole(f"{name}SpeechEndThreshold", usual.speech_end_ms, 500, 5000),
            silence_ms=fields.whole(f"{name}SilenceTimeout", usual.silence_ms, 2000, 10_000),
        ),
        is_asynchronous=fields.flag("AsyncAmd"),
        callback=Subscription(
            fields.url("AsyncAmdStatusCallback"), method=fields.method("AsyncAmdStatusCallbackMethod")
        ),
    )


def _recording(fields: Fields) -> RecordingOrder:
    events = {event for text in fields.texts("RecordingStatusCallbackEvent") for event in text.split()}
    return RecordingOrder(
        channels=2 if fields.one_of("RecordingChannels", "mono", ("mono", "dual")) == "dual" else 1,
        callback=Subscription(
            fields.url("RecordingStatusCallback"),
            frozenset(events or {"completed"}),
            fields.method("RecordingStatusCallbackMethod"),
        ),
    )
