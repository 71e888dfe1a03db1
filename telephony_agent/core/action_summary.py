"""What tells an action from other actions: no audio and no prompt, and short enough to be kept with every step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import assert_never

from telephony_agent.core.conversation import ChatMessage
from telephony_agent.core.events import (
    Action,
    CancelReply,
    HangUp,
    Respond,
    SendClear,
    SendMark,
    SendMedia,
    Synthesize,
    Transcribe,
    UseTool,
)

Summary = tuple[str | int, ...]
"""One action without its audio and its prompt: its name, then what tells it from others. ``media`` in a row is one.

``respond`` has the words that are to be answered, and behind them the counsel's note, where the model is given one.
"""


def summarize(actions: Iterable[Action]) -> tuple[Summary, ...]:
    """Return what tells actions from other actions; audio counts by its length, in bytes."""
    summaries: list[Summary] = []
    for action in actions:
        summary = _summary(action)
        last = summaries[-1] if summaries else ("",)
        if summary[0] == last[0] == "media":
            summary = ("media", int(summaries.pop()[1]) + int(summary[1]))
        summaries.append(summary)
    return tuple(summaries)


def _summary(action: Action) -> Summary:
    match action:
        case SendMedia(payload):
            return ("media", len(payload))
        case SendMark(name):
            return ("mark", name)
        case SendClear():
            return ("clear",)
        case Transcribe(turn, attempt, audio):
            return ("transcribe", turn, attempt, len(audio))
        case Respond(turn=turn, draft=draft, messages=messages):
            return ("respond", turn, draft, *question_of(messages))
        case Synthesize(turn, draft, phrase, text):
            return ("synthesize", turn, draft, phrase, text)
        case UseTool(turn, draft, number, name, arguments):
            return ("use_tool", turn, draft, number, name, json.dumps(dict(arguments), ensure_ascii=False))
        case CancelReply(turn, draft):
            return ("cancel", turn, draft)
        case HangUp(reason):
            return ("hang_up", reason.value)
        case _:
            assert_never(action)


def question_of(messages: Sequence[ChatMessage]) -> tuple[str, ...]:
    """Return what a reply is asked for to: the last words of the talk, and the counsel's note, if there is one."""
    talk = messages[1:]  # the prompt is the same for every question
    note = [message["content"] for message in talk[-1:] if message["role"] == "system"]
    words = [message["content"] for message in talk if message["role"] != "system"]
    return (words[-1] if words else "", *note)


def has_note(action: Summary) -> bool:
    """Tell whether an action asks for a reply with a note of the counsel's."""
    match action:
        case ("respond", int(), int(), str(), str()):
            return True
    return False
