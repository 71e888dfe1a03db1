"""Tools: Python functions that the model may call, and the four that are built in.

A function becomes a tool by its name, its docstring (told to the model) and the types of its parameters::

    def find_order(number: int) -> str:
        '''Look up an order by its number.'''
        return orders[number].state

What the model calls it with is validated before it is called: a number that came as text is read as one, anything else
that doesn't fit is refused, and the model is told why. What a tool returns is data: text, of bounded length.

The built-in tools have no effect of their own. Calling one is a request, on which the guide rules (``tool_law``).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from telephony_agent.errors import PlaybookError

MAX_RESULT = 500
"""Characters of a result that the model is told."""
_MAX_DESCRIPTION = 300
_MAX_REASON = 200
_PLAIN = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class ToolCallError(ValueError):
    """A call doesn't fit its tool; ``str()`` tells the model why."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One function that the model may call.

    ``parameters`` is the JSON schema of its arguments; ``is_async`` says that the function must be awaited.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    function: Callable[..., Any]
    is_async: bool
    _arguments: type[BaseModel] = field(repr=False)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Tool:
        """Make a tool of a function.

        Raises:
            PlaybookError: it can't be one; the message says what is missing.
        """
        name = getattr(function, "__name__", "")
        if not name.isidentifier():
            raise PlaybookError("it has no name; write it with def")
        description = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
        if not description:
            raise PlaybookError(f"{name} has no docstring; say in one what it does, for the model")
        arguments = _arguments_of(name, function)
        try:
            schema = arguments.model_json_schema()
        except PydanticInvalidForJsonSchema as error:
            raise PlaybookError(f"{name}: an argument can't be told as JSON: {error.message}") from error
        return cls(
            name,
            description[:_MAX_DESCRIPTION],
            {key: value for key, value in schema.items() if key != "title"},
            function,
            inspect.iscoroutinefunction(function),
            arguments,
        )

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the function takes them; what is trivially wrong is put right.

        Raises:
            ToolCallError: they don't fit.
        """
        try:
            read = self._arguments.model_validate(dict(arguments))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "arguments"
            reason = f"{self.name} was not called: {where}: {first['msg']}."
            raise ToolCallError(reason[:_MAX_REASON]) from None
        return {name: getattr(read, name) for name in type(read).model_fields if name in read.model_fields_set}


def as_result(returned: object) -> str:
    """Return what a tool returned as text for the model: bounded, and without what looks like a tag."""
    text = returned if isinstance(returned, str) else json.dumps(returned, ensure_ascii=False, default=str)
    return " ".join(text[: 2 * MAX_RESULT].split()).translate({ord("<"): "(", ord(">"): ")"})[:MAX_RESULT]


def unknown_tool(name: str, known: Iterable[str]) -> str:
    """Return what the model is told when it calls a tool that there is not."""
    return f"There is no tool {name[:40]!r}. There are: {', '.join(known) or 'none'}."


def _arguments_of(name: str, function: Callable[..., Any]) -> type[BaseModel]:
    try:
        signature, hints = inspect.signature(function), get_type_hints(function, include_extras=True)
    except (NameError, TypeError, ValueError) as error:
        raise PlaybookError(f"{name}: its type hints can't be read: {error}") from error
    fields: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind not in _PLAIN:
            raise PlaybookError(f"{name}: {parameter} can't be offered to a model; name each parameter")
        if parameter.name not in hints:
            raise PlaybookError(f"{name}: {parameter.name} has no type hint")
        if parameter.name.startswith(("_", "model_")):
            raise PlaybookError(f"{name}: a parameter can't be called {parameter.name}")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], Field(default))
    try:
        return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise PlaybookError(f"{name}: an argument has a type that can't be checked: {error.message}") from error


# The built-in ones: signatures and words for the model.


def end_call() -> None:
    """End the call, after the caller has said goodbye or has nothing more to ask."""


def transfer_to_human() -> None:
    """Connect the caller to a colleague, when they ask for a person or you can't help."""


def schedule_callback(when: str) -> None:
    """Propose a time at which a colleague calls back, in the caller's words, such as "tomorrow at three"."""


def send_information(topic: str) -> None:
    """Note that information about a topic is to be sent to the caller's e-mail address."""


BUILT_IN: Mapping[str, Tool] = MappingProxyType(
    {
        function.__name__: Tool.of(function)
        for function in (end_call, transfer_to_human, schedule_callback, send_information)
    }
)
