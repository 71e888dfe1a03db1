"""Holds a model to the tools that it is offered: once it begins a call, it can write nothing but a valid one.

A Qwen model calls a tool by writing ``<tool_call>``, a JSON object and ``</tool_call>``; both tags are tokens of their
own. Whether it begins a call is the model's choice. From the opening tag on, the choice of each token is confined
(by llguidance) to what one of the offered tools' schemas allows; the closing tag ends the reply. Where no call may be
made, the opening tag can't be written.

The schemas are bounded on the way: a text, a list or a number without an end would let a model that is stuck write on
for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from telephony_agent.engines.base import ToolSpec
from telephony_agent.errors import PlaybookError

if TYPE_CHECKING:
    import torch

OPENING, CLOSING = "<tool_call>", "</tool_call>"
CALL_TOKENS = 200
"""The room of a call, beside that of the words before it."""
_MAX_CHARACTERS = 120
_MAX_ITEMS = 10
_MAX_INTEGER = 10**12
_JSON_STYLE = {"whitespace_flexible": False, "key_separator": ": ", "item_separator": ", "}
"""As chat templates and ``json.dumps`` write it, so that a call is found in the cache when it comes back as history."""


class ToolGrammar:
    """The calls that may be made of a set of tools.

    Args:
        tokenizer: a ``tokenizers.Tokenizer``.
        tools: what is offered; at least one.
        vocabulary: how many logits the model gives.

    Raises:
        PlaybookError: a tool's arguments can't be held to their types.
    """

    def __init__(self, tokenizer: Any, tools: Sequence[ToolSpec], *, vocabulary: int) -> None:
        import llguidance

        self.opens: int = tokenizer.token_to_id(OPENING)
        closes: int = tokenizer.token_to_id(CLOSING)
        # A grammar has an end of its own; the tokenizer's is needed only for form.
        vocabulary_of = llguidance.LLTokenizer(tokenizer.to_str(), n_vocab=vocabulary, eos_token=closes)
        for tool in tools:
            if reason := llguidance.LLMatcher.validate_grammar(_grammar([tool], closes), vocabulary_of):
                raise PlaybookError(f"tools: the arguments of {tool.name} can't be held to their types: {reason}")
        self._matcher = llguidance.LLMatcher(vocabulary_of, _grammar(tools, closes), log_level=0)

    def begin(self) -> Any:
        """Return the state of a call that has just been opened."""
        return self._matcher.deep_copy()


class ReplyConstraint:
    """What a model may write next in one reply.

    Args:
        opens: the token of the opening tag; None where the model knows none.
        grammar: the calls that may be made; None where none may.
    """

    def __init__(self, opens: int | None, grammar: ToolGrammar | None) -> None:
        self._opens = opens
        self._grammar = grammar
        self._call: Any = None

    @property
    def calling(self) -> bool:
        """Whether a call has been begun."""
        return self._call is not None

    @property
    def called(self) -> bool:
        """Whether a call is complete: the reply ends with it."""
        return self._call is not None and bool(self._call.is_stopped())

    def confine(self, logits: torch.Tensor) -> torch.Tensor:
        """Return logits, float32[vocabulary], in which nothing is possible that may not be written."""
        import torch

        if self._call is not None:
            bits = np.unpackbits(np.frombuffer(self._call.compute_bitmask(), np.uint8), bitorder="little")
            allowed = torch.from_numpy(bits[: len(logits)]).bool().to(logits.device)
            return logits.masked_fill(~allowed, float("-inf"))
        if self._opens is not None and self._grammar is None:
            barred = torch.tensor([self._opens], device=logits.device)
            return logits.index_fill(0, barred, float("-inf"))
        return logits

    def take(self, token: int) -> None:
        """Take note of what was written."""
        if self._call is not None:
            self._call.consume_token(token)
        elif self._grammar is not None and token == self._grammar.opens:
            self._call = self._grammar.begin()


def _grammar(tools: Sequence[ToolSpec], closes: int) -> str:
    """Return what may follow the opening tag, in llguidance's dialect of Lark."""
    call = {"x-guidance": _JSON_STYLE, "anyOf": [_call_schema(tool) for tool in tools]}
    return f'start: "\\n" call "\\n" <[{closes}]>\ncall: %json {json.dumps(call)}\n'


def _call_schema(tool: ToolSpec) -> dict[str, Any]:
    definitions = tool.parameters.get("$defs", {})
    return {
        "type": "object",
        "properties": {"name": {"const": tool.name}, "arguments": _bounded(tool.parameters, definitions, tool.name)},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _bounded(schema: Any, definitions: Mapping[str, Any], tool: str, within: tuple[str, ...] = ()) -> Any:
    """Return a schema with its definitions put in their places, and an end to all that could go on for ever."""
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[1]
        if name in within:
            raise PlaybookError(f"tools: an argument of {tool} holds itself; give it a plainer type")
        return _bounded(definitions[name], definitions, tool, (*within, name))

    def inner(part: Any) -> Any:
        return _bounded(part, definitions, tool, within)

    out: dict[str, Any] = {}
    for key, value in schema.items():
        match key:
            case "title" | "description" | "default" | "$defs":
                continue
            case "properties":
                out[key] = {name: inner(part) for name, part in value.items()}
            case "anyOf" | "oneOf" | "allOf" | "prefixItems":
                out[key] = [inner(part) for part in value]
            case "items" | "additionalProperties":
                out[key] = inner(value)
            case _:
                out[key] = value
    return out | _ends(out)


def _ends(schema: Mapping[str, Any]) -> dict[str, int]:
    """Return the bounds that a schema lacks."""
    match schema.get("type"):
        case "string" if not {"enum", "const", "format", "pattern", "maxLength"} & schema.keys():
            return {"maxLength": _MAX_CHARACTERS}
        case "array" if "maxItems" not in schema:
            return {"maxItems": _MAX_ITEMS}
        case "integer" if not {"enum", "const"} & schema.keys():
            low = {} if {"minimum", "exclusiveMinimum"} & schema.keys() else {"minimum": -_MAX_INTEGER}
            high = {} if {"maximum", "exclusiveMaximum"} & schema.keys() else {"maximum": _MAX_INTEGER}
            return low | high
        case _:
            return {}
