"""Where the tools of the user's run: imported once, called with validated arguments, within a deadline.

A plain function runs on a thread of the tools' own, an ``async`` one as a task; neither can hold up the event loop, nor
the engines. What a call comes to is told as an event, whatever it is: a result, a refusal that the model can learn
from, or a failure. A failure is logged by its kind and place alone, since what it says may hold the caller's words.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any

from loguru import logger

from telephony_agent.core.events import EngineFailed, Stage, ToolReturned, UseTool
from telephony_agent.engines.base import ToolSpec
from telephony_agent.errors import PlaybookError
from telephony_agent.live.lanes import Job, Lane
from telephony_agent.sales.tools import BUILT_IN, Tool, ToolCallError, as_result, unknown_tool

WORKERS = 4
"""Plain functions that may run at once, for all calls of a server."""
Tell = Callable[[ToolReturned | EngineFailed], None]


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of a playbook: what a model is told of, and the functions among it."""

    specs: tuple[ToolSpec, ...] = ()
    functions: Mapping[str, Tool] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def load(cls, names: Iterable[str]) -> Toolbox:
        """Import the tools that a playbook names: ``package.module:function``, or a built-in one.

        Raises:
            PlaybookError: one can't be imported, or can't be a tool; the message names it and what is wrong.
        """
        tools: dict[str, Tool] = {}
        for name in names:
            tool = BUILT_IN.get(name) or _imported(name)
            if tool.name in tools:
                raise PlaybookError(f"tools: {name!r}: another tool is called {tool.name} already")
            tools[tool.name] = tool
        return cls(
            tuple(ToolSpec(tool.name, tool.description, tool.parameters) for tool in tools.values()),
            MappingProxyType({name: tool for name, tool in tools.items() if name not in BUILT_IN}),
        )


class ToolRoom:
    """Calls the functions of a toolbox for all calls of a server. Lives on the event loop."""

    def __init__(self, toolbox: Toolbox | None = None, *, deadline_s: float = 10.0) -> None:
        """Start the threads, if a tool needs them.

        ``deadline_s``: how long a tool may take, waiting for a thread included.
        """
        self._toolbox = toolbox or Toolbox()
        self._deadline_s = deadline_s
        plain = any(not tool.is_async for tool in self._toolbox.functions.values())
        self._lane = Lane(Stage.TOOL, workers=WORKERS) if plain else None
        # The event loop itself holds on to no task.
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, call: UseTool, tell: Tell) -> None:
        """Call a tool; ``tell`` gets what came of it, once, and later than this returns."""
        functions = self._toolbox.functions
        try:
            if call.name not in functions:
                raise ToolCallError(unknown_tool(call.name, (spec.name for spec in self._toolbox.specs)))
            tool = functions[call.name]
            arguments = tool.read(call.arguments)
        except ToolCallError as error:
            logger.bind(tool=call.name[:40], turn=call.turn).warning("A call of a tool was refused")
            asyncio.get_running_loop().call_soon(tell, _returned(call, str(error)))
            return
        if tool.is_async or self._lane is None:
            self._await(tool, arguments, call, tell)
        else:
            self._submit(self._lane, tool, arguments, call, tell)

    def close(self) -> None:
        """Let the threads end; a function that runs is left to its end, a task to that of the event loop."""
        if self._lane is not None:
            self._lane.close()

    def _submit(self, lane: Lane, tool: Tool, arguments: Mapping[str, Any], call: UseTool, tell: Tell) -> None:
        def work(job: Job) -> None:
            job.emit(as_result(tool.function(**arguments)))

        def ended(error: Exception | None) -> None:
            if error is not None:
                tell(_failed(call, error))

        lane.submit(
            work, deadline_s=self._deadline_s, on_item=lambda result: tell(_returned(call, result)), on_end=ended
        )

    def _await(self, tool: Tool, arguments: Mapping[str, Any], call: UseTool, tell: Tell) -> None:
        async def work() -> None:
            try:
                async with asyncio.timeout(self._deadline_s):
                    outcome: ToolReturned | EngineFailed = _returned(call, as_result(await tool.function(**arguments)))
            except Exception as error:  # the outermost edge of a function of the user's, which may raise anything
                outcome = _failed(call, error)
            tell(outcome)

        task = asyncio.get_running_loop().create_task(work(), name=f"tool-{tool.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _imported(name: str) -> Tool:
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError, SyntaxError, ValueError) as error:
        raise PlaybookError(f"tools: {name!r} can't be imported: {error}") from error
    if not callable(found):
        raise PlaybookError(f"tools: {name!r} is not a function")
    try:
        return Tool.of(found)
    except PlaybookError as error:
        raise PlaybookError(f"tools: {name!r}: {error}") from error


def _returned(call: UseTool, result: str) -> ToolReturned:
    return ToolReturned(call.turn, call.draft, call.number, result)


def _failed(call: UseTool, error: Exception) -> EngineFailed:
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].name}:{frames[-1].lineno}" if frames else ""
    logger.bind(tool=call.name, turn=call.turn, kind=type(error).__name__, where=where).error("A tool failed")
    return EngineFailed(call.turn, Stage.TOOL, call.number, call.draft)
