"""The playbook: who calls, for what, with which facts, answers and fixed announcements; and the prompt built from it.

A playbook is a YAML file that the user edits. It is checked once, when it is read, and never changes afterwards.
``Playbook.system_prompt`` turns it into one compact prompt, the same for pocket-qwen and for the big models; the
order and the wording of its parts is what pocket-qwen was trained on, so a change here means training it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from telephony_agent.errors import PlaybookError

END_CALL = "[END_CALL]"
"""What a reply ends with when the call is over; never spoken."""

_RULES = (
    "Rules: This is a phone call: one or two short spoken sentences, one question at a time. "
    "Never invent prices or facts. If asked, say you are an AI. Read back names, days, addresses. "
    f"After two refusals or an opt-out say goodbye. End your last reply with {END_CALL}."
)

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Plan(_Part):
    """One thing to buy: its name and its price, both as they are spoken."""

    name: Text
    price: Text


class Playbook(_Part):
    """What the agent sells and how; built by ``parse``.

    The announcements (``greeting`` to ``fault_goodbye``) are spoken as they are, without the model; ``{persona}`` and
    ``{company}`` in them are already replaced.
    """

    language: Text = "en"
    persona: Text
    company: Text
    product: Text
    pitch: Text
    meeting: Text
    question: Text
    plans: tuple[Plan, ...] = Field(min_length=1)
    integrations: tuple[Text, ...] = ()
    facts: dict[Text, Text] = {}
    objections: dict[Text, Text] = {}

    greeting: Text = "Hi, this is {persona}, the AI assistant of {company}. Do you have a minute?"
    reprompts: tuple[Text, Text] = (
        "Are you still there?",
        "Sorry, I can't hear you. Could you say that again?",
    )
    fillers: tuple[Text, Text] = ("Let me see.", "One moment, please.")
    not_understood: Text = "Sorry, I didn't catch that. Could you say it again?"
    transfer: Text = "One moment, please. I'll connect you with a colleague."
    apology: Text = "Sorry, I lost my thread for a moment. Could you say that again?"
    goodbye: Text = "I have to end our call here. Thank you for your time. Goodbye."
    silence_goodbye: Text = "I can't hear you, so I'll hang up now. Goodbye."
    fault_goodbye: Text = "I'm sorry, I have a technical problem and must end the call. Goodbye."

    @classmethod
    def parse(cls, yaml_text: str) -> Self:
        """Read a playbook from YAML.

        Raises:
            PlaybookError: it isn't YAML, a key is missing, unknown or wrong, or the greeting hides the company or the
                AI; the message names the key and the fix.
        """
        try:
            document = yaml.safe_load(yaml_text)
        except yaml.YAMLError as error:
            raise PlaybookError(f"the playbook is not valid YAML: {' '.join(str(error).split())}") from error
        if not isinstance(document, dict):
            raise PlaybookError("the playbook must be a mapping of keys such as persona, company, product")
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise PlaybookError(_explain(error)) from error

    @model_validator(mode="before")
    @classmethod
    def _name_the_caller(cls, document: Any) -> Any:
        """Replace ``{persona}`` and ``{company}`` in the announcements, the defaults included."""
        if not isinstance(document, dict):
            return document
        names = {f"{{{key}}}": str(document.get(key, "")) for key in ("persona", "company")}
        filled = dict(document)
        for key in _ANNOUNCEMENTS:
            filled[key] = _replace(document.get(key, cls.model_fields[key].default), names)
        return filled

    @model_validator(mode="after")
    def _disclose(self) -> Self:
        greeting = self.greeting.replace("artificial intelligence", "AI").replace(".", " ").replace(",", " ")
        if self.company not in self.greeting:
            raise ValueError(f"greeting: must name the company; put {self.company!r} or {{company}} into it")
        if "AI" not in greeting.split():
            raise ValueError("greeting: must say that the caller is an AI; write for instance 'an AI assistant'")
        return self

    def system_prompt(self) -> str:
        """Build the system prompt: who, what, plans, facts, objections, goal, rules; about 220 words."""
        plans = "; ".join(f"{plan.name}, {plan.price}" for plan in self.plans)
        lines = [
            f"You are {self.persona}, the AI sales assistant of {self.company}, on the phone.",
            f"{self.product}: {self.pitch}",
            f"Plans: {plans}.",
        ]
        if self.integrations:
            lines.append(f"Works with: {', '.join(self.integrations)}.")
        lines += _section("Facts", self.facts.items())
        lines += _section("Objections", self.objections.items())
        lines += [f"Goal: {self.meeting}. First ask: {self.question}", _RULES]
        return "\n".join(lines)


_ANNOUNCEMENTS = (
    "greeting",
    "reprompts",
    "fillers",
    "not_understood",
    "transfer",
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
    if isinstance(value, str):
        for placeholder, name in names.items():
            value = value.replace(placeholder, name)
    return value


def _explain(error: ValidationError) -> str:
    """Name the first wrong key and what to do about it."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    match first["type"]:
        case "missing":
            return f"{key}: is missing; add it to the playbook"
        case "extra_forbidden":
            return f"{key}: is not a key of a playbook; remove it, or move it under facts or objections"
        case "value_error":
            return str(first["ctx"]["error"])
        case _:
            return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}, not {first['input']!r}"
