"""Takes calls of tools out of a model's text, however it comes in pieces; nothing of one is ever spoken.

A model calls a tool in its own format, ``<tool_call>``, a JSON object, ``</tool_call>``. What stands behind the
opening tag is a call or the ruin of one (unfinished, nested, not JSON), and so is what begins like JSON without a tag,
or like the answer of a tool: none of it is speech. A reply ends with its call: what the model says behind it, before it
knows the result, is dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TAG = "tool_call"
_BEGINS = re.compile(rf"(?P<call><\s*{_TAG}\s*>)|<\s*tool_response\s*>|\{{\s*\"", re.IGNORECASE)
_ENDS = re.compile(rf"<\s*/\s*{_TAG}\s*>", re.IGNORECASE)
_STRAY = re.compile(rf"<\s*/?\s*(?:{_TAG}|tool_response)\s*>", re.IGNORECASE)
_MAY_BEGIN = re.compile(r"(?:<\s*/?\s*[a-z_]{0,13}\s*|\{\s*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model wants to be called, and with what; nobody has checked either."""

    name: str
    arguments: Mapping[str, Any]

    def as_text(self) -> str:
        """Return the call as the model would write it."""
        call = json.dumps({"name": self.name, "arguments": dict(self.arguments)}, ensure_ascii=False)
        return f"<{_TAG}>\n{call}\n</{_TAG}>"


class CallFilter:
    """One reply's text on its way to being spoken."""

    def __init__(self) -> None:
        self._held = ""
        self._written: str | None = None
        self.call: ToolCall | None = None
        """The call, once it is complete."""

    @property
    def broken(self) -> bool:
        """Whether something was begun that is no call, at least not yet."""
        return self._written is not None and self.call is None

    def feed(self, delta: str) -> str:
        """Take the next piece of the reply; return what of it may be spoken."""
        if self._written is not None:
            self._write(delta)
            return ""
        self._held += delta
        begin = _BEGINS.search(self._held)
        if begin is not None:
            speech, rest = self._held[: begin.start()], self._held[begin.end() :]
            # A brace before it, and it can't be read as a call, whatever it says.
            self._held, self._written = "", "" if begin["call"] else "{"
            self._write(rest)
            return _STRAY.sub("", speech)
        held = _STRAY.sub("", self._held)
        wait = _MAY_BEGIN.search(held)
        cut = wait.start() if wait is not None else len(held)
        self._held = held[cut:]
        return held[:cut]

    def flush(self) -> str:
        """Return what was held back; what is left of a tag is no speech."""
        held, self._held = self._held, ""
        return "" if held[:1] in ("<", "{") else held

    def _write(self, text: str) -> None:
        if self._written is None or self.call is not None:
            return
        self._written += text
        end = _ENDS.search(self._written)
        if end is not None:
            self.call = _read(self._written[: end.start()])


def _read(text: str) -> ToolCall | None:
    """Return the call that a text is, if it is one."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match read:
        case {"name": str(name), "arguments": dict(arguments)} if name and len(read) == 2:
            return ToolCall(name, arguments)
        case _:
            return None
