"""A call's rules as plain data and back, and with one number changed: for traces, which outlive the process.

Rules are frozen dataclasses of numbers, nested by concern. The judge of turn ends is the one part that comes in kinds,
so its data carry the ``kind``. A judge that isn't in ``JUDGES`` has no data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any

from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.completeness import ModelJudge, RuleJudge, SilenceJudge
from telephony_agent.errors import TelephonyAgentError

Judge = RuleJudge | ModelJudge | SilenceJudge
JUDGES: Mapping[str, type[Judge]] = MappingProxyType({"words": RuleJudge, "model": ModelJudge, "silence": SilenceJudge})
KIND = "kind"


class RuleError(TelephonyAgentError):
    """Rules that can't be told as data, or a change that names no rule or gives it no fitting value."""

    code = "rule"


def as_data(rules: CallRules) -> dict[str, Any]:
    """Return rules as nested dictionaries of numbers and words.

    Raises:
        RuleError: the judge is none of ``JUDGES``.
    """
    return _as_data(rules)


def from_data(data: Mapping[str, Any]) -> CallRules:
    """Build rules from their data; what the data don't name keeps its default.

    Raises:
        RuleError: the data name something that rules don't have.
    """
    rules = _filled(CallRules(), data, "")
    assert isinstance(rules, CallRules)
    return rules


def changed(rules: CallRules, assignment: str) -> CallRules:
    """Return rules with one of them changed, as ``endpointing.hangover_ms=700`` or ``judge=silence`` says.

    Raises:
        RuleError: no such rule, or no such value; the message says what there is.
    """
    path, equals, text = assignment.partition("=")
    if not equals:
        raise RuleError(f"{assignment!r}: allowed: RULE=VALUE, such as endpointing.hangover_ms=700")
    new = _changed(rules, path.strip().split("."), text.strip(), assignment)
    assert isinstance(new, CallRules)
    return new


def _as_data(value: Any) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for field in fields(value):
        part = getattr(value, field.name)
        if field.name == "judge":
            kind = next((kind for kind, judge in JUDGES.items() if type(part) is judge), None)
            if kind is None:
                raise RuleError(f"{type(part).__name__} is no judge that can be told as data")
            data[field.name] = {KIND: kind, **_as_data(part)}
        else:
            data[field.name] = _as_data(part) if is_dataclass(part) else part
    return data


def _filled(pattern: Any, data: Mapping[str, Any], path: str) -> Any:
    """Return a copy of a dataclass with the data's values in it."""
    new: dict[str, Any] = {}
    for name, value in data.items():
        if name not in _names(pattern):
            raise RuleError(f"{path}{name}: there is no such rule")
        part = getattr(pattern, name)
        if name == "judge":
            part = _judge(value[KIND], f"{path}{name}.{KIND}={value[KIND]}")
            value = {key: rest for key, rest in value.items() if key != KIND}
        new[name] = _filled(part, value, f"{path}{name}.") if is_dataclass(part) else value
    return replace(pattern, **new)


def _changed(rules: Any, path: list[str], text: str, assignment: str) -> Any:
    name, *rest = path
    if name not in _names(rules):
        raise RuleError(f"{assignment!r}: there is no rule {name!r}; allowed: {', '.join(_names(rules))}")
    part = getattr(rules, name)
    if rest and is_dataclass(part):
        return replace(rules, **{name: _changed(part, rest, text, assignment)})
    if rest:
        raise RuleError(f"{assignment!r}: {name!r} is a number and has no rules of its own")
    if name == "judge":
        return replace(rules, judge=_judge(text, assignment))
    if is_dataclass(part):
        raise RuleError(f"{assignment!r}: which of them? allowed: {', '.join(_names(part))}")
    return replace(rules, **{name: _number(part, text, assignment)})


def _judge(kind: str, where: str) -> Judge:
    if kind not in JUDGES:
        raise RuleError(f"{where!r}: allowed: {', '.join(JUDGES)}")
    return JUDGES[kind]()


def _number(current: Any, text: str, assignment: str) -> Any:
    """Read a value of the same type as the one that it replaces."""
    if isinstance(current, bool):
        if text not in ("true", "false"):
            raise RuleError(f"{assignment!r}: allowed: true or false")
        return text == "true"
    try:
        return type(current)(text)
    except ValueError as error:
        wanted = "a whole number" if isinstance(current, int) else "a number"
        raise RuleError(f"{assignment!r}: allowed: {wanted}") from error


def _names(value: Any) -> list[str]:
    return [field.name for field in fields(value)]
