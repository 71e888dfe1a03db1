"""Qwen2, 2.5 and 3 chat models through transformers and torch, as a :class:`~telephony_agent.engines.base.Responder`.

Each call has a KV cache and the tokens that it holds. A turn renders the whole conversation with the model's chat
template, keeps the longest common prefix of the cache, and reads only what is new: the caller's words, since the reply
that the model has just written is there already. A reply that was cut at a barge-in, or that tokenises otherwise when
it comes back as text, only shortens the prefix. So a turn costs the same late in a call as early. What the last
:meth:`QwenSession.prefill` read before a caller spoke is lent to the calls that begin after it, so that the playbook is
read once, not once a call.

The decode loop is our own, because it must stop within one token, stream, and leave cache and tokens equal at every
moment. Prompts are read in chunks for the same reason.

Tools are the responder's, not a reply's: the template tells of them at the very beginning, so a prompt without them
would share nothing with what is in the cache. ``tool_grammar`` sees to it that a call is a valid one.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telephony_agent.engines.base import Cancelled, Message, ToolSpec
from telephony_agent.engines.reply_text import SpokenText, TokenText, common_prefix, goes_in_circles
from telephony_agent.engines.tool_grammar import CALL_TOKENS, CLOSING, OPENING, ReplyConstraint, ToolGrammar
from telephony_agent.errors import ModelLoadError, ResponseError

if TYPE_CHECKING:
    import torch

_CHUNK_TOKENS = 128
_SMALL_PARAMETERS = 50_000_000
_STOP_WORDS = ("<|im_end|>", "<|endoftext|>")
_TOOLS_IN_TEMPLATE = re.compile(r"\btools\b")
_CLOSING_MARKS = (".", "?", "!", "...", "\u2026", ".\n", "?\n", "!\n")
"""What a model may write at the end of a caller's sentence before it ends the message."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen: the likeliest at temperature 0, else drawn from the nucleus ``top_p``."""

    temperature: float = 0.0
    top_p: float = 0.9
    seed: int = 0


@dataclass(slots=True)
class _Memory:
    """A KV cache and the tokens whose keys and values it holds; the two agree at every moment."""

    tokens: list[int] = field(default_factory=list)
    cache: Any = None

    def fork(self) -> _Memory:
        """Return a memory that goes its own way; it costs nothing, since a cache grows into new tensors."""
        cache = copy.copy(self.cache)
        if cache is not None:
            cache.layers = [copy.copy(layer) for layer in cache.layers]
        return _Memory(list(self.tokens), cache)


class QwenResponder:
    """One chat model for all calls.

    Args:
        model: a directory, or a name on the hub (``Qwen/Qwen2.5-0.5B-Instruct``).
        dtype: ``bfloat16``, ``float32``, or ``auto``: bfloat16, and float32 on a CPU for a model so small that speed
            doesn't matter.
        threads: cores for torch, in this whole process.
        max_new_tokens: the longest reply.
        max_context_tokens: the most conversation that is ever kept, whatever the model could read.
        sampling: greedy unless told otherwise.
        tools: what the model may call; offered only where it ``takes_tools``.

    Raises:
        ModelLoadError: the model can't be loaded; the message names the setting and the fix.
        PlaybookError: a tool's arguments can't be held to their types.
    """

    def __init__(
        self,
        model: str,
        *,
        dtype: str = "auto",
        threads: int = 1,
        max_new_tokens: int = 120,
        max_context_tokens: int = 4096,
        sampling: Sampling | None = None,
        tools: Sequence[ToolSpec] = (),
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        self.model, self._tokenizer = _load(model, dtype)
        if not self._tokenizer.chat_template:
            raise ModelLoadError(f"AGENT_LLM_MODEL={model!r} has no chat template: name an instruct or chat model")
        # The backend's own encode() changes no state, unlike the tokenizer's call: safe from several threads.
        self._encoder: Any = self._tokenizer.backend_tokenizer
        self.max_new_tokens = max_new_tokens
        self.sampling = sampling or Sampling()
        self.stop_tokens = self._stop_tokens()
        self.closing_tokens = self.stop_tokens | self._single_tokens(_CLOSING_MARKS)
        self.window_tokens = min(int(self.model.config.max_position_embeddings), max_context_tokens)
        self.takes_tools = self._knows_tools()
        self._tools = [_as_function(tool) for tool in tools] if self.takes_tools else []
        self._grammar = (
            ToolGrammar(self._encoder, tools, vocabulary=int(self.model.config.vocab_size)) if self._tools else None
        )
        self._tool_tokens = self._count_tool_tokens()
        self._lent = _Memory()

    @property
    def context_tokens(self) -> int:
        """How many tokens of conversation and reply fit, beside what is told of the tools."""
        return self.window_tokens - self._tool_tokens

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text; thread-safe."""
        return len(self._encode(text))

    def warm(self) -> None:
        """Read a short conversation and write a token."""
        session = self.session()
        replies = session.reply([{"role": "user", "content": "Hello."}], lambda: False)
        with contextlib.suppress(StopIteration):
            next(replies)
        session.close()

    def session(self) -> QwenSession:
        """Open the state of one call."""
        return QwenSession(self)

    def prompt_tokens(self, messages: Sequence[Message], *, for_reply: bool) -> list[int]:
        """Render a conversation with the model's chat template, thinking switched off."""
        text = self._tokenizer.apply_chat_template(
            [{"role": message["role"], "content": _plain(message["content"])} for message in messages],
            tokenize=False,
            add_generation_prompt=for_reply,
            enable_thinking=False,
            tools=self._tools or None,
        )
        return self._encode(text)

    def constraint(self, *, may_call: bool) -> ReplyConstraint:
        """Return what a reply may hold."""
        opens = self._encoder.token_to_id(OPENING) if self.takes_tools else None
        return ReplyConstraint(opens, self._grammar if may_call else None)

    def lend(self, memory: _Memory) -> None:
        """Keep what a session has read for those that will begin with the same words."""
        self._lent = memory.fork()

    def borrow(self) -> _Memory:
        """Return the memory that a new session begins with."""
        return self._lent.fork()

    def decode(self, tokens: Sequence[int]) -> str:
        """Turn tokens into text, control tokens left out."""
        text: str = self._encoder.decode(tokens, skip_special_tokens=True)
        return text

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._encoder.encode(text, add_special_tokens=False).ids
        return ids

    def _single_tokens(self, texts: Sequence[str]) -> frozenset[int]:
        """Return the tokens that stand for a whole text each."""
        return frozenset(tokens[0] for tokens in map(self._encode, texts) if len(tokens) == 1)

    def _knows_tools(self) -> bool:
        """Tell whether the chat template can offer tools, and each tag of a call is one token that stands for itself.

        Only then can a call be told from mere text before its first character is spoken.
        """
        tags = (self._encode(OPENING), self._encode(CLOSING))
        whole = all(len(tag) == 1 for tag in tags) and [self.decode(tag) for tag in tags] == [OPENING, CLOSING]
        return whole and _TOOLS_IN_TEMPLATE.search(self._tokenizer.chat_template) is not None

    def _count_tool_tokens(self) -> int:
        if not self._tools:
            return 0
        system = [Message(role="system", content=".")]
        plain = self._tokenizer.apply_chat_template(system, tokenize=False, enable_thinking=False)
        return len(self.prompt_tokens(system, for_reply=False)) - len(self._encode(plain))

    def _stop_tokens(self) -> frozenset[int]:
        configured = self.model.generation_config.eos_token_id
        stops = set(configured) if isinstance(configured, list) else {configured}
        stops |= {self._tokenizer.eos_token_id, *(self._encoder.token_to_id(word) for word in _STOP_WORDS)}
        return frozenset(stop for stop in stops if stop is not None)


class QwenSession:
    """One call's conversation with the model; used by one thread at a time.

    ``last_prefill_tokens`` says how many tokens the last prefill or reply had to read before it could write.
    """

    def __init__(self, responder: QwenResponder) -> None:
        import torch

        self._responder = responder
        self._model: Any = responder.model
        self._random = torch.Generator(self._model.device).manual_seed(responder.sampling.seed)
        self._memory = _Memory()
        self.last_prefill_tokens = 0

    @property
    def cached_tokens(self) -> tuple[int, ...]:
        """The tokens whose keys and values are in the cache."""
        return tuple(self._memory.tokens)

    def prefill(self, messages: Sequence[Message], cancelled: Cancelled) -> None:
        """Read messages into the cache ahead of a reply.

        Raises:
            ResponseError: the model failed.
        """
        with self._failing_clean():
            logits = self._read(self._responder.prompt_tokens(messages, for_reply=False), cancelled)
            # Nothing of what a caller said may outlive the call.
            if logits is not None and all(message["role"] != "user" for message in messages):
                self._responder.lend(self._memory)

    def ended(self, messages: Sequence[Message], cancelled: Cancelled) -> float:
        """Return the probability that the caller's message ends here: what the model gives to the tokens that end it.

        A transcriber's full stop is left out, since it stands behind half a sentence as well. Without meaning when
        cancelled.

        Raises:
            ResponseError: the model failed, or its chat template doesn't end a message with a token.
        """
        *before, last = messages
        words = Message(role=last["role"], content=last["content"].rstrip(" .,?!\u2026"))
        with self._failing_clean():
            tokens = self._responder.prompt_tokens([*before, words], for_reply=False)
            ends = [place for place, token in enumerate(tokens) if token in self._responder.stop_tokens]
            if not ends:
                raise ResponseError("the chat template has no token at the end of a message")
            logits = self._read(tokens[: ends[-1]], cancelled)
            if logits is None:
                return 0.0
            return float(logits.softmax(-1)[list(self._responder.closing_tokens)].sum())

    def reply(self, messages: Sequence[Message], cancelled: Cancelled, *, may_call: bool = True) -> Iterator[str]:
        """Yield the assistant's next message as text deltas; ends early, silently, when cancelled.

        A call of a tool ends it; it is valid wherever there is room for all of it.

        Raises:
            ResponseError: the model failed, or the conversation leaves no room for a reply.
        """
        with self._failing_clean():
            prompt = self._responder.prompt_tokens(messages, for_reply=True)
            room = self._responder.window_tokens - len(prompt)
            if room <= 0:
                raise ResponseError(
                    f"the conversation of {len(prompt)} tokens fills the model's {self._responder.window_tokens}"
                )
            logits = self._read(prompt, cancelled)
            spoken = SpokenText()
            for text in self._write(logits, room, self._responder.constraint(may_call=may_call), cancelled):
                if delta := spoken.push(text):
                    yield delta
            if not cancelled() and (delta := spoken.end()):
                yield delta

    def close(self) -> None:
        """Drop the cache."""
        self._memory = _Memory()

    def _read(self, prompt: list[int], cancelled: Cancelled) -> torch.Tensor | None:
        """Bring the cache to hold exactly a prompt; return the logits after it, or ``None`` when cancelled."""
        if not self._memory.tokens:
            self._memory = self._responder.borrow()
        memory = self._memory
        # At least one token is always read again, for its logits.
        keep = min(common_prefix(memory.tokens, prompt), len(prompt) - 1)
        if memory.cache is not None:
            memory.cache.crop(keep - len(memory.tokens))  # crop() takes how many to remove, as a negative number
        del memory.tokens[keep:]
        self.last_prefill_tokens = len(prompt) - keep
        logits = None
        for start in range(keep, len(prompt), _CHUNK_TOKENS):
            if cancelled():
                return None
            logits = self._forward(prompt[start : start + _CHUNK_TOKENS])
        return logits

    def _write(
        self, logits: torch.Tensor | None, room: int, constraint: ReplyConstraint, cancelled: Cancelled
    ) -> Iterator[str]:
        texts = TokenText(self._responder.decode)
        written: list[int] = []
        while logits is not None and not cancelled():
            token = self._choose(constraint.confine(logits))
            if token in self._responder.stop_tokens:
                return
            written.append(token)
            constraint.take(token)
            yield texts.push(token)
            over = self._is_over(written, room, constraint) or cancelled()
            logits = None if over else self._forward([token])

    def _is_over(self, written: list[int], room: int, constraint: ReplyConstraint) -> bool:
        """Tell whether a reply must end here, though the model doesn't say so."""
        if constraint.calling:
            # A call is long by its form, and has an end by its grammar.
            return constraint.called or len(written) >= min(room, self._responder.max_new_tokens + CALL_TOKENS)
        return len(written) >= min(room, self._responder.max_new_tokens) or goes_in_circles(written)

    def _forward(self, tokens: list[int]) -> torch.Tensor:
        """Read tokens into the cache; return the logits after the last one, float32[vocabulary]."""
        import torch
        from transformers import DynamicCache

        memory = self._memory
        if memory.cache is None:
            memory.cache = DynamicCache(config=self._model.config)
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.tensor([tokens], device=self._model.device),
                past_key_values=memory.cache,
                use_cache=True,
                logits_to_keep=1,  # else the whole vocabulary is scored at every token of the prompt
            )
        memory.tokens += tokens  # at once, so that cache and tokens agree wherever the reply is cut off
        logits: torch.Tensor = output.logits[0, -1].float()
        return logits

    def _choose(self, logits: torch.Tensor) -> int:
        import torch

        sampling = self._responder.sampling
        if sampling.temperature <= 0:
            return int(logits.argmax())
        ranked, order = torch.softmax(logits / sampling.temperature, dim=-1).sort(descending=True)
        outside = ranked.cumsum(0) - ranked >= sampling.top_p
        drawn = torch.multinomial(ranked.masked_fill(outside, 0.0), 1, generator=self._random)
        return int(order[drawn])

    @contextlib.contextmanager
    def _failing_clean(self) -> Iterator[None]:
        """Turn a failure of torch into ours, and forget a cache that may be half written."""
        try:
            yield
        except (RuntimeError, ValueError) as error:
            self.close()
            raise ResponseError(f"the language model failed: {error}") from error


def _as_function(tool: ToolSpec) -> dict[str, Any]:
    """Return a tool as chat templates know it."""
    told = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": told}


def _plain(content: str) -> str:
    """Take the meaning from what looks like the template's own control tokens."""
    return content.replace("<|", "< |")


def _load(model: str, dtype: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
        loaded = AutoModelForCausalLM.from_pretrained(model, dtype="auto")
    # What the hub, the file system and the parsers raise has no closer common ancestor.
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelLoadError(
            f"AGENT_LLM_MODEL={model!r} can't be loaded ({reason}): fetch it with `telephony-agent models pull`, name "
            "a directory with a Qwen chat model, or set AGENT_MODELS=pocket"
        ) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto":
        small = loaded.num_parameters() < _SMALL_PARAMETERS
        dtype = "float32" if small and device == "cpu" else "bfloat16"
    return loaded.to(device=device, dtype=getattr(torch, dtype)).eval(), tokenizer
