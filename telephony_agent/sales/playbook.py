"""The playbook: who calls, for what, with which facts, answers and fixed announcements; and the prompt built from it.

A playbook is a YAML file that the user edits. It is checked once, when it is read, and never changes afterwards.
``Playbook.system_prompt`` turns it into one compact prompt, the same for pocket-qwen and for the big models; the
order and the wording of its parts is what pocket-qwen was trained on, so a change here means training it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails

from telephony_agent.errors import PlaybookError
from telephony_agent.sales.playbook_parts import (
    Action,
    ClosingLines,
    MaybeText,
    OptOutPhrase,
    Part,
    Plan,
    Question,
    Text,
    ToolName,
    names_ai,
)
from telephony_agent.sales.playbook_yaml import YamlSource

END_CALL = "[END_CALL]"
"""What a reply ends with when the call is over; never spoken."""

_RULES = (
    "Rules: This is a phone call: one or two short spoken sentences, one question at a time. "
    "Never invent prices or facts. If asked, say you are an AI. Read back names, days, addresses. "
    f"After two refusals or an opt-out say goodbye. End your last reply with {END_CALL}."
)


class Playbook(Part):
    """Who calls, for what, and how; built by ``parse``.

    The announcements (``greeting`` to ``fault_goodbye``) are spoken as they are, without the model; ``{persona}``,
    ``{company}`` and ``{product}`` in them are already replaced.
    """

    language: Text = "en"
    persona: Text
    role: Text = "sales assistant"
    tone: MaybeText = ""
    company: Text
    product: Text
    pitch: Text
    goal: MaybeText = ""
    """What the call is for, where that isn't to offer the ``meeting``."""
    meeting: MaybeText = ""
    question: MaybeText = ""
    """The first question, after which come budget, authority, need and timing; or else there are ``questions``."""
    questions: tuple[Question, ...] | None = None
    plans: tuple[Plan, ...] = ()
    integrations: tuple[Text, ...] = ()
    facts: dict[Text, Text] = Field(default_factory=dict)
    objections: dict[Text, Text] = Field(default_factory=dict)
    calls_to_action: tuple[Action, ...] = tuple(Action)
    """What may be offered; of a callback and a message the first is what a caller gets who wants a person in vain."""
    opt_out_phrases: tuple[OptOutPhrase, ...] = ()
    """What ends all calls to this party, beside the language's own phrases."""
    tools: tuple[ToolName, ...] = ()

    disclosure: Text | None = None
    closing: ClosingLines = ClosingLines()
    greeting: Text = "Hi, this is {persona}, the AI assistant of {company}. Do you have a minute?"
    recording_notice: Text | None = None
    """What is said, in the greeting, where calls are recorded; None: the language's own words."""
    reprompts: tuple[Text, Text] = (
        "Are you still there?",
        "Sorry, I can't hear you. Could you say that again?",
    )
    fillers: tuple[Text, Text] = ("Let me see.", "One moment, please.")
    not_understood: Text = "Sorry, I didn't catch that. Could you say it again?"
    introduction: Text = "This is {persona}, the AI assistant of {company}, calling about {product}."
    """What a call screening is told that asks who calls, and why."""
    voicemail: MaybeText = (
        "Hello, this is {persona}, the AI assistant of {company}. Sorry to have missed you; we will try again. "
        "If you want no more calls, call this number back and say so. Goodbye."
    )
    """The message that a mailbox gets; empty: none."""
    transfer: Text = "One moment, please. I'll connect you with a colleague."
    untaken: Text = "I'm sorry, nobody can take your call right now. When may we call you back?"
    """What a caller hears whose call no colleague took, where a callback may be offered."""
    reconnected: Text = "Sorry, the line dropped for a moment. Where were we?"
    """What a caller hears who is back after the line broke."""
    apology: Text = "Sorry, I lost my thread for a moment. Could you say that again?"
    goodbye: Text = "I have to end our call here. Thank you for your time. Goodbye."
    silence_goodbye: Text = "I can't hear you, so I'll hang up now. Goodbye."
    fault_goodbye: Text = "I'm sorry, I have a technical problem and must end the call. Goodbye."

    @classmethod
    def parse(cls, yaml_text: str) -> Self:
        """Read a playbook from YAML.

        Raises:
            PlaybookError: it isn't YAML, a key is missing, unknown or wrong, or the greeting hides the company or the
                AI; the message names the key, its line and the fix.
        """
        source = YamlSource.read(yaml_text)
        if not isinstance(source.document, dict):
            raise PlaybookError("the playbook must be a mapping of keys such as persona, company, product")
        try:
            return cls.model_validate(source.document)
        except ValidationError as error:
            raise PlaybookError(_explain(error, source)) from error

    def as_json(self) -> str:
        """Return all of it as JSON, for ``from_json``: the same text for equal playbooks, however they were written."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``as_json`` wrote.

        Raises:
            PlaybookError: it didn't, or an earlier version did by other rules; the message names the key.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            raise PlaybookError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error

    @model_validator(mode="before")
    @classmethod
    def _name_the_caller(cls, document: Any) -> Any:
        """Replace ``{persona}``, ``{company}`` and ``{product}`` in the announcements, the defaults included."""
        if not isinstance(document, dict):
            return document
        names = {f"{{{key}}}": str(document.get(key, "")) for key in ("persona", "company", "product")}
        filled = dict(document)
        for key in _ANNOUNCEMENTS:
            filled[key] = _replace(document.get(key, cls.model_fields[key].default), names)
        return filled

    @field_validator("greeting", "disclosure", "introduction", "voicemail")
    @classmethod
    def _disclose(cls, words: str | None, info: ValidationInfo) -> str | None:
        company = info.data.get("company")
        if not words or company is None:
            return words
        if company not in words:
            raise ValueError(f"must name the company; put {company!r} or {{company}} into it")
        if not names_ai(words):
            raise ValueError("must say that the caller is an AI; write for instance 'an AI assistant'")
        return words

    @field_validator("questions")
    @classmethod
    def _ask_once(cls, questions: tuple[Question, ...] | None) -> tuple[Question, ...] | None:
        slots = [question.slot for question in questions or ()]
        twice = next((slot for slot in slots if slots.count(slot) > 1), None)
        if twice is not None:
            raise ValueError(f"two of them ask for {twice}; remove one")
        return questions

    @field_validator("calls_to_action", "tools")
    @classmethod
    def _name_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _know_the_goal(self) -> Self:
        if not (self.goal or self.meeting):
            raise ValueError("meeting: is missing; add it, or a goal")
        if self.questions is None and not self.question:
            raise ValueError("question: is missing; add it, or questions")
        if self.questions is not None and self.question:
            raise ValueError("question: doesn't go with questions; make it the first of them and remove it")
        return self

    def system_prompt(self) -> str:
        """Build the system prompt: who, what, plans, facts, objections, goal, rules; about 220 words."""
        plans = "; ".join(f"{plan.name}, {plan.price}" for plan in self.plans)
        lines = [
            f"You are {self.persona}, the AI {self.role} of {self.company}, on the phone.",
            *([f"Tone: {self.tone.rstrip('.')}."] if self.tone else ()),
            f"{self.product}: {self.pitch}",
            *([f"Plans: {plans}."] if plans else ()),
        ]
        if self.integrations:
            lines.append(f"Works with: {', '.join(self.integrations)}.")
        lines += _section("Facts", self.facts.items())
        lines += _section("Objections", self.objections.items())
        if set(self.calls_to_action) != set(Action):
            offers = ", ".join(action.replace("_", " ") for action in self.calls_to_action)
            lines.append(f"Offer nothing but: {offers or 'your answers'}.")
        lines += [f"Goal: {self.goal or self.meeting}.{self._asking()}", _RULES]
        return "\n".join(lines)

    def _asking(self) -> str:
        if self.questions is None:
            return f" First ask: {self.question}"
        asks = [question.ask or question.slot.replace("_", " ") for question in self.questions]
        return f" Ask in this order: {' '.join(asks)}" if asks else ""


_ANNOUNCEMENTS = (
    "disclosure",
    "closing",
    "greeting",
    "recording_notice",
    "reprompts",
    "fillers",
    "not_understood",
    "introduction",
    "voicemail",
    "transfer",
    "untaken",
    "reconnected",
    "apology",
    "goodbye",
    "silence_goodbye",
    "fault_goodbye",
)


def _section(title: str, entries: Iterable[tuple[str, str]]) -> list[str]:
    lines = [f"{key}: {text}" for key, text in entries]
    return [f"{title}:", *lines] if lines else []


def _replace(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list | tuple):
        return [_replace(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _replace(item, names) for key, item in value.items()}
    if isinstance(value, str):
        for placeholder, name in names.items():
            value = value.replace(placeholder, name)
    return value


def _explain(error: ValidationError, source: YamlSource) -> str:
    """Name the first wrong key, its line and what to do about it."""
    first = error.errors()[0]
    line = source.line(first["loc"])
    key = ".".join(str(part) for part in first["loc"])
    return f"{f'line {line}: ' if line else ''}{f'{key}: ' if key else ''}{_fix(first)}"


def _fix(error: ErrorDetails) -> str:
    match error["type"]:
        case "missing":
            return "is missing; add it to the playbook"
        case "extra_forbidden" if len(error["loc"]) == 1:
            return "is not a key of a playbook; remove it, or move it under facts or objections"
        case "extra_forbidden":
            return "is not a key there; remove it"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            return f"{error['msg'][0].lower()}{error['msg'][1:]}, not {error['input']!r}"
