from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger

from telephony_agent.core.events import EngineFailed, Stage, ToolReturned, UseTool
from telephony_agent.errors import PlaybookError
from telephony_agent.live.tool_room import Toolbox, ToolRoom
from telephony_agent.sales.tools import BUILT_IN

from . import shop

PATIENCE_S = 20.0
SHOP = ("find_order", "find_customer", "wait", "wait_async")


def in_the_shop(*names: str) -> tuple[str, ...]:
    return tuple(f"tests.live.shop:{name}" for name in names)


def used(tool: str, /, *, deadline_s: float = PATIENCE_S, **arguments: Any) -> ToolReturned | EngineFailed:
    """Call a tool of the shop; return what came of it."""

    async def run() -> ToolReturned | EngineFailed:
        room = ToolRoom(Toolbox.load(in_the_shop(*SHOP)), deadline_s=deadline_s)
        told: asyncio.Future[ToolReturned | EngineFailed] = asyncio.get_running_loop().create_future()
        room.use(UseTool(3, 5, 1, tool, arguments), told.set_result)
        assert not told.done(), "whoever asks is told later"
        async with asyncio.timeout(PATIENCE_S):
            event = await told
        room.close()
        return event

    return asyncio.run(run())


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(f"{message} {message.record['extra']}"), level="DEBUG")
    yield lines
    logger.remove(sink)


def test_a_plain_function_runs_on_a_thread_of_the_tools_own() -> None:
    event = used("find_order", number="7")
    assert event == ToolReturned(3, 5, 1, '{"order": 7, "state": "sent", "thread": "lane-tool"}')


def test_an_async_function_is_awaited() -> None:
    assert used("find_customer", name="Anna") == ToolReturned(3, 5, 1, "Anna has two orders")


@pytest.mark.parametrize(("name", "arguments"), [("find_order", {"number": -1}), ("find_customer", {"name": ""})])
def test_what_a_function_raises_is_a_failure_and_its_words_are_not_logged(
    name: str, arguments: dict[str, Any], logged: list[str]
) -> None:
    assert used(name, **arguments) == EngineFailed(3, Stage.TOOL, 1, 5)
    assert any("A tool failed" in line and "LookupError" in line and name in line for line in logged)
    assert not any("Anna Miller" in line or "no name" in line for line in logged)


@pytest.mark.parametrize("name", ["wait", "wait_async"])
def test_a_function_that_misses_its_deadline_is_a_failure(name: str) -> None:
    with shop.closed():
        assert used(name, deadline_s=0.05) == EngineFailed(3, Stage.TOOL, 1, 5)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        (
            "rob_the_till",
            {},
            "There is no tool 'rob_the_till'. There are: find_order, find_customer, wait, wait_async.",
        ),
        ("find_order", {"number": "seven"}, "find_order was not called: number: "),
        ("find_order", {}, "find_order was not called: number: Field required."),
    ],
)
def test_a_wrong_call_is_refused_with_the_reason(name: str, arguments: dict[str, Any], told: str) -> None:
    event = used(name, **arguments)
    assert isinstance(event, ToolReturned)
    assert event.result.startswith(told)


def test_a_toolbox_holds_what_the_playbook_names_in_its_order() -> None:
    toolbox = Toolbox.load(["end_call", *in_the_shop("find_order"), "send_information"])
    assert [spec.name for spec in toolbox.specs] == ["end_call", "find_order", "send_information"]
    assert toolbox.specs[0].description == BUILT_IN["end_call"].description
    assert list(toolbox.functions) == ["find_order"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere.at_all:find", "can't be imported: No module named 'nowhere'"),
        ("tests.live.shop:find_all", "can't be imported: .* has no attribute 'find_all'"),
        ("tests.live.shop:NUMBER", "is not a function"),
        ("tests.live.shop:find_nothing", "find_nothing: number has no type hint"),
        ("tests.live.shop:end_call", "another tool is called end_call already"),
    ],
)
def test_a_tool_that_can_not_be_had_is_named_with_its_key(name: str, reason: str) -> None:
    with pytest.raises(PlaybookError, match=f"^tools: {name!r}:? {reason}"):
        Toolbox.load(["end_call", name])
