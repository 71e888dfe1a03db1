"""Tools in Qwen's own format: what a model may write of a call, and what that does to its cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from telephony_agent.engines.base import Message, ToolSpec
from telephony_agent.engines.qwen import QwenResponder, QwenSession, Sampling
from telephony_agent.errors import PlaybookError

from .tiny_models import TOOL_TEMPLATE, make_qwen

pytestmark = pytest.mark.torch

OPENING, CLOSING = "<tool_call>", "</tool_call>"
SYSTEM: Message = {"role": "system", "content": "You are the phone agent."}
CALLER: Message = {"role": "user", "content": "call me back on friday"}


def tool(name: str, required: tuple[str, ...] = (), **properties: Any) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return ToolSpec(name, f"Do {name}.", schema)


TOOLS = (
    tool("find_order", ("number",), number={"type": "integer"}, size={"enum": ["small", "large"]}),
    tool("note", ("text",), text={"type": "string", "maxLength": 12}, tags={"$ref": "#/$defs/Tags"}),
    tool("end_call"),
)
TOOLS[1].parameters["$defs"] = {"Tags": {"type": "array", "items": {"type": "boolean"}}}  # type: ignore[index]


def never() -> bool:
    return False


def reply(session: QwenSession, messages: list[Message], **terms: Any) -> str:
    return "".join(session.reply(messages, never, **terms))


def cache_agrees(session: QwenSession) -> bool:
    return int(session._memory.cache.get_seq_length()) == len(session.cached_tokens)


def is_valid(call: Any) -> bool:
    """Check a call against the schemas of TOOLS, by hand."""
    arguments = call.pop("arguments")
    match call:
        case {"name": "find_order"}:
            fits = isinstance(arguments.pop("number"), int) and arguments.pop("size", "small") in ("small", "large")
        case {"name": "note"}:
            fits = len(arguments.pop("text")) <= 12 and all(isinstance(tag, bool) for tag in arguments.pop("tags", []))
        case {"name": "end_call"}:
            fits = True
        case _:
            fits = False
    return fits and arguments == {} and list(call) == ["name"]


@pytest.fixture(scope="module", params=["qwen2", "qwen3"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp(request.param)
    return str(make_qwen(folder, family=request.param, template=TOOL_TEMPLATE, tags=(OPENING, CLOSING)))


def eager(model: str, *, temperature: float = 0.0, seed: int = 0, bias: float = 1e4) -> QwenResponder:
    """A responder whose model wants nothing more than to open a call, again and again."""
    import torch

    responder = QwenResponder(
        model, max_new_tokens=12, sampling=Sampling(temperature=temperature, top_p=1.0, seed=seed), tools=TOOLS
    )
    pull = torch.zeros(responder.model.config.vocab_size)
    pull[responder._encoder.token_to_id(OPENING)] = bias
    responder.model.lm_head.bias = torch.nn.Parameter(pull)
    return responder


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_call_that_is_begun_is_always_a_valid_one(model: str, temperature: float) -> None:
    names = set()
    for seed in range(12 if temperature else 1):
        session = eager(model, temperature=temperature, seed=seed).session()
        text = reply(session, [SYSTEM, CALLER])
        assert text.startswith(OPENING + "\n")
        assert text.endswith("\n" + CLOSING)
        call = json.loads(text.removeprefix(OPENING).removesuffix(CLOSING))
        names.add(call["name"])
        assert is_valid(call)
        assert cache_agrees(session)
    assert temperature == 0.0 or len(names) > 1


def test_where_no_call_may_be_made_none_is(model: str) -> None:
    messages: list[Message] = [SYSTEM, {"role": "user", "content": "yes"}]
    text = reply(eager(model).session(), messages, may_call=False)
    assert OPENING not in text
    assert text == reply(QwenResponder(model, max_new_tokens=12, tools=TOOLS).session(), messages, may_call=False)


def test_a_call_that_comes_back_as_history_is_found_in_the_cache(model: str) -> None:
    responder = eager(model)
    session = responder.session()
    session.prefill([SYSTEM], never)
    call = reply(session, [SYSTEM, CALLER])
    held = len(session.cached_tokens)
    messages: list[Message] = [
        *(SYSTEM, CALLER),
        {"role": "assistant", "content": call},
        {"role": "tool", "content": "The order was sent on Friday."},
    ]
    answer = reply(session, messages, may_call=False)
    whole = len(responder.prompt_tokens(messages, for_reply=True))
    # Where it wrote a text in other tokens than the tokenizer would, a few are read again.
    assert session.last_prefill_tokens < whole - held + 20
    assert cache_agrees(session)
    assert answer == reply(eager(model).session(), messages, may_call=False)


def test_a_call_that_is_cut_leaves_cache_and_tokens_equal(model: str) -> None:
    session = eager(model).session()
    for cut_after in (1, 4, 9):
        deltas = session.reply([SYSTEM, CALLER], never)
        for _ in range(cut_after):
            next(deltas)
        deltas.close()  # type: ignore[attr-defined]  # a generator, of which the Protocol promises only an iterator
        assert cache_agrees(session)
    asked = iter([False] * 6)
    list(session.reply([SYSTEM, CALLER], lambda: next(asked, True)))
    assert cache_agrees(session)
    assert reply(session, [SYSTEM, CALLER]) == reply(eager(model).session(), [SYSTEM, CALLER])


def test_the_tools_stand_in_the_prompt_and_take_from_the_room(model: str) -> None:
    with_tools, without = QwenResponder(model, tools=TOOLS), QwenResponder(model)
    told = with_tools.decode(with_tools.prompt_tokens([SYSTEM, CALLER], for_reply=True))
    assert all(f'"name": "{spec.name}"' in told for spec in TOOLS)
    cost = len(with_tools.prompt_tokens([SYSTEM], for_reply=False))
    cost -= len(without.prompt_tokens([SYSTEM], for_reply=False))
    assert with_tools.context_tokens == without.context_tokens - cost


def test_a_model_whose_template_has_no_tools_is_offered_none(tiny_qwen: Path) -> None:
    responder = QwenResponder(str(tiny_qwen), max_new_tokens=12, tools=TOOLS)
    assert not responder.takes_tools
    assert responder.context_tokens == QwenResponder(str(tiny_qwen)).context_tokens
    assert "find_order" not in responder.decode(responder.prompt_tokens([SYSTEM, CALLER], for_reply=True))
    assert reply(responder.session(), [SYSTEM, CALLER])


def test_a_model_for_which_the_tags_are_mere_text_is_offered_none(tmp_path: Path) -> None:
    assert not QwenResponder(str(make_qwen(tmp_path, template=TOOL_TEMPLATE)), tools=TOOLS).takes_tools


def test_a_tool_whose_arguments_hold_themselves_is_refused_at_the_start(model: str) -> None:
    endless = tool("tree", root={"$ref": "#/$defs/Node"})
    endless.parameters["$defs"] = {"Node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/Node"}}}}  # type: ignore[index]
    with pytest.raises(PlaybookError, match="tree holds itself"):
        QwenResponder(model, tools=[endless])


def test_a_tool_whose_arguments_no_grammar_can_hold_is_refused_at_the_start(model: str) -> None:
    with pytest.raises(PlaybookError, match="the arguments of odd"):
        QwenResponder(model, tools=[tool("odd", text={"type": "string", "pattern": r"^(?=a)b$"})])
