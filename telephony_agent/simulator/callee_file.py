"""Reads callees from YAML: a caller's script (see ``script_file``) with what the telephone does before it.

::

    about: a voicemail that records what it hears
    answer: answers        # or busy, no-answer, rejects, fails: these have no steps
    rings: 4               # before it is answered or declined
    detected: machine      # what answering machine detection says: human, machine, fax or unknown
    presses: "1"           # what they press when <Gather> asks for keys; without it, nothing
    voice: en-us           # from here on as in a script
    steps:
      - say: please leave a message after the tone
        at_once: true
        answered: false
      - noise: beep        # what the agent says from here on is recorded
        ms: 400
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from telephony_agent.simulator import script_file
from telephony_agent.simulator.callee import LAST_DIGITS, Answer, Callee, Detected, Directory
from telephony_agent.simulator.script_file import ScriptError

_OWN_KEYS: Final = frozenset({"answer", "rings", "detected", "presses"})


def shipped_callees() -> tuple[str, ...]:
    """List the callees that come with the package."""
    return script_file.shipped_in("callees")


def load_callee(name_or_path: str) -> Callee:
    """Read a shipped callee by its name, or any callee by its path.

    Raises:
        ScriptError: there is none, or it is wrong.
    """
    return parse_callee(*script_file.read(name_or_path, "callees", "callee"))


def parse_callee(name: str, text: str) -> Callee:
    """Read a callee.

    Raises:
        ScriptError: not YAML, an unknown or missing key, or a value of the wrong kind.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScriptError(f"callee {name}: not YAML: {error}") from error
    if not isinstance(document, dict):
        raise ScriptError(f"callee {name}: must be a table of keys, not {document!r}")
    answer = Answer(_one_of(name, document, "answer", Answer.ANSWERS, tuple(Answer)))
    detected = Detected(_one_of(name, document, "detected", Detected.HUMAN, tuple(Detected)))
    rest = {key: value for key, value in document.items() if key not in _OWN_KEYS}
    if answer is not Answer.ANSWERS:
        if "steps" in rest:
            raise ScriptError(f"callee {name}: steps: one that doesn't answer has none")
        rest["steps"] = []
    script = script_file.parse(name, yaml.safe_dump(rest))
    return Callee(name, answer, _rings(name, document), detected, script, _presses(name, document))


def shipped_directory(by_number: Mapping[str, Callee] | None = None, default: Callee | None = None) -> Directory:
    """Make the directory of the callees that ship; ``by_number`` and ``default`` go before them."""
    return Directory(
        default=default or load_callee("human"),
        by_number=by_number or {},
        by_last_digits={digits: load_callee(name) for digits, name in LAST_DIGITS.items()},
    )


def _one_of(name: str, document: Mapping[str, Any], key: str, usual: str, allowed: tuple[str, ...]) -> str:
    value = document.get(key, usual)
    if value not in allowed:
        raise ScriptError(f"callee {name}: {key}: must be one of {', '.join(allowed)}, not {value!r}")
    return str(value)


def _presses(name: str, document: Mapping[str, Any]) -> str:
    value = document.get("presses", "")
    if not isinstance(value, str) or set(value) - set("0123456789*#"):
        raise ScriptError(f"callee {name}: presses: must be keys in quotes, such as '1', not {value!r}")
    return value


def _rings(name: str, document: Mapping[str, Any]) -> int:
    value = document.get("rings", Callee(name).rings)
    if type(value) is not int or value < 0:
        raise ScriptError(f"callee {name}: rings: must be a whole number, not {value!r}")
    return value
