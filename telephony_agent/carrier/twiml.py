"""The TwiML documents that answer Twilio's webhooks.

Each document is a whole XML file in ``twiml/``, which a user may edit. A ``{placeholder}`` may stand in an attribute
value or in the text of an element. What is spoken is English; ``busy.es.xml`` is ``busy.xml`` in Spanish, and where
there is no such file, the English one is used. The documents are read once; an answer fills a copy of the *parsed
tree*, so a value can never become markup, whatever it holds.
"""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable

from telephony_agent.errors import LocalProtocolError, SettingError

PARAMETER_LIMIT = 500
"""Characters that the name and the value of a ``<Parameter>`` must stay below, together (Twilio, ``<Stream>``)."""

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold, not even escaped; one such character and Twilio drops the call with error 12100."""

_ALLOWED: Mapping[str, frozenset[str]] = {
    "answer": frozenset({"stream_url", "ended_url", "token"}),
    "busy": frozenset(),
    "unavailable": frozenset(),
    "goodbye": frozenset(),
    "connect": frozenset({"transfer_number", "dialled_url", "whisper_url", "caller_id"}),
    "whisper": frozenset({"summary", "joined_url"}),
    "joined": frozenset(),
    "transfer": frozenset({"transfer_number", "dialled_url", "whisper_url", "caller_id"}),
    "apology": frozenset(),
}
"""The documents, and the placeholders that each may use."""
_ENGLISH = "en"
_IN_OTHER_LANGUAGES = re.compile(r"(\w+)\.([a-z]{2})\.xml")


class TwimlDocuments:
    """The documents, loaded and checked; every method returns a whole XML text to send as ``text/xml``.

    Characters that XML can't hold (a NUL in a caller's name) become U+FFFD in the answer.
    """

    def __init__(self, directory: Traversable | None = None) -> None:
        """Load the documents of ``directory``; by default those that ship with the package.

        Raises:
            SettingError: a document is missing, isn't TwiML, or uses a placeholder that it may not use.
        """
        source = directory if directory is not None else shipped_documents()
        self._trees = {(name, _ENGLISH): _load(source / f"{name}.xml", _ALLOWED[name]) for name in _ALLOWED}
        for document in source.iterdir():
            if (found := _IN_OTHER_LANGUAGES.fullmatch(document.name)) and found[1] in _ALLOWED:
                self._trees[found[1], found[2]] = _load(document, _ALLOWED[found[1]])

    def answer(self, *, stream_url: str, ended_url: str, parameters: Mapping[str, str]) -> str:
        """Connect the call to our media stream.

        Args:
            stream_url: the ``wss`` URL of the websocket, without a query string, which Twilio would strip.
            ended_url: where Twilio asks what comes next, once the stream has ended.
            parameters: what ``start.customParameters`` shall hold. ``token`` fills its placeholder in the document;
                the others are added to the ``<Stream>`` in order.

        Raises:
            LocalProtocolError: Twilio would refuse the stream: a parameter is too long, a name is used twice, the
                token is missing, or the URL has a query string.
        """
        if "?" in stream_url or "#" in stream_url:
            raise LocalProtocolError(f"a stream URL can't have a query string or fragment: {stream_url!r}")
        values = {"stream_url": stream_url, "ended_url": ended_url}
        if "token" in parameters:
            values["token"] = parameters["token"]
        root = self._filled("answer", values)
        stream = next(root.iter("Stream"))
        for name, value in parameters.items():
            if name != "token":
                ET.SubElement(stream, "Parameter", {"name": _legal(name), "value": _legal(value)})
        _check_parameters(stream)
        return _text(root)

    def busy(self, language: str = _ENGLISH) -> str:
        """Say that all lines are taken, and hang up."""
        return _text(self._filled("busy", language=language))

    def unavailable(self, language: str = _ENGLISH) -> str:
        """Say that nobody can take the call, and hang up."""
        return _text(self._filled("unavailable", language=language))

    def goodbye(self) -> str:
        """Hang up."""
        return _text(self._filled("goodbye"))

    def connect(self, *, number: str, dialled_url: str, whisper_url: str, caller_id: str = "") -> str:
        """Dial a person at ``number`` (E.164), as the caller was told.

        Args:
            number: whom to dial.
            dialled_url: where Twilio asks what comes next, once the person has hung up or can't be had.
            whisper_url: what the person hears first.
            caller_id: the number of ours that the person is shown; without one, Twilio shows the caller's.
        """
        return self._dial("connect", number, dialled_url, whisper_url, caller_id)

    def whisper(self, *, summary: str, joined_url: str, language: str = _ENGLISH) -> str:
        """Tell a person who is to take a call about it; a key of theirs goes to ``joined_url``."""
        return _text(self._filled("whisper", {"summary": summary, "joined_url": joined_url}, language))

    def joined(self) -> str:
        """Join the person with the caller."""
        return _text(self._filled("joined"))

    def transfer(
        self, *, number: str, dialled_url: str, whisper_url: str = "", caller_id: str = "", language: str = _ENGLISH
    ) -> str:
        """Apologise and dial a person, as ``connect`` does; without ``whisper_url`` they are told nothing."""
        return self._dial("transfer", number, dialled_url, whisper_url, caller_id, language)

    def apology(self, language: str = _ENGLISH) -> str:
        """Apologise for a fault, and hang up."""
        return _text(self._filled("apology", language=language))

    def _dial(
        self,
        name: str,
        number: str,
        dialled_url: str,
        whisper_url: str,
        caller_id: str,
        language: str = _ENGLISH,
    ) -> str:
        values = {
            "transfer_number": number,
            "dialled_url": dialled_url,
            "whisper_url": whisper_url,
            "caller_id": caller_id,
        }
        root = self._filled(name, values, language)
        for dial in root.iter("Dial"):
            if not dial.get("callerId", "-"):
                del dial.attrib["callerId"]
        for who in root.iter("Number"):
            if not who.get("url", "-"):
                del who.attrib["url"]
                who.attrib.pop("method", None)
        return _text(root)

    def _filled(self, name: str, values: Mapping[str, str] | None = None, language: str = _ENGLISH) -> ET.Element:
        root = copy.deepcopy(self._trees.get((name, language), self._trees[name, _ENGLISH]))
        missing = sorted(_placeholders(root) - (values or {}).keys())
        if missing:
            raise LocalProtocolError(f"{name}.xml needs a value for {{{missing[0]}}}")
        for element in root.iter():
            if element.text:
                element.text = _fill(element.text, values or {})
            for attribute, value in element.items():
                element.set(attribute, _fill(value, values or {}))
        return root


def shipped_documents() -> Traversable:
    """Find the documents that ship with the package: inside it when installed, beside it in a checkout."""
    package = resources.files("telephony_agent")
    inside = package / "twiml"
    return inside if inside.is_dir() else package / ".." / "twiml"


def _load(document: Traversable, allowed: frozenset[str]) -> ET.Element:
    try:
        # The documents are the user's own files, so expat's defences against hostile XML are not needed.
        root = ET.fromstring(document.read_bytes())  # noqa: S314
    except OSError as error:
        raise SettingError(f"twiml/{document.name}: can't be read: {error.strerror or error}") from error
    except ET.ParseError as error:
        raise SettingError(f"twiml/{document.name}: not valid XML: {error}") from error
    if root.tag != "Response":
        raise SettingError(f"twiml/{document.name}: the outermost element is <{root.tag}>, allowed is <Response>")
    if "stream_url" in allowed and root.find("Connect/Stream") is None:
        raise SettingError(f"twiml/{document.name}: has no <Stream> in a <Connect>, so no call would reach the agent")
    unknown = sorted(_placeholders(root) - allowed)
    if unknown:
        choice = ", ".join(f"{{{name}}}" for name in sorted(allowed)) or "none"
        raise SettingError(f"twiml/{document.name}: unknown placeholder {{{unknown[0]}}}, allowed: {choice}")
    return root


def _placeholders(root: ET.Element) -> set[str]:
    return {name for text in _fillable(root) for name in _PLACEHOLDER.findall(text)}


def _fillable(root: ET.Element) -> Iterator[str]:
    for element in root.iter():
        yield element.text or ""
        yield from (value for _, value in element.items())


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: _legal(values[match[1]]), text)


def _legal(value: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value)


def _check_parameters(stream: ET.Element) -> None:
    seen: set[str] = set()
    for parameter in stream.iter("Parameter"):
        name, value = parameter.get("name", ""), parameter.get("value", "")
        if name in seen:
            raise LocalProtocolError(f"stream parameter {name!r} is given twice")
        seen.add(name)
        length = len(name) + len(value)
        if length >= PARAMETER_LIMIT:
            raise LocalProtocolError(
                f"stream parameter {name!r} has {length} characters with its value, allowed are {PARAMETER_LIMIT - 1}"
            )


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return _DECLARATION + ET.tostring(root, encoding="unicode") + "\n"
