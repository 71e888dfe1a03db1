"""Reads caller scripts from YAML, with errors that name the place and the fix.

A script::

    about: asks for the price and hangs up
    voice: en-gb+f3                  # an espeak-ng voice; also rate (words a minute) and pitch (0 to 99)
    noise: {kind: pink, dbov: -60}   # on the line all through the call
    expect: {ended_by: caller}       # agent, caller or any; also reasons (those of the agent's API that are right) and
                                     # utterances (how often the agent must at least speak)
    steps:
      - say: how much does it cost         # waits until the agent has spoken and fallen silent
      - say: [can we meet on Thursday, 600, at ten thirty]     # a pause of 600 ms in the middle
      - say: wait stop                     # speaks once the agent has spoken for 900 ms
        interrupt_ms: 900
      - say: mm-hm                         # doesn't count as a turn: no answer is expected
        interrupt_ms: 500
        answered: false
      - say: hello who is this             # says it as soon as the line is there, as one who picks up does
        at_once: true
      - keys: "12#"
      - hear_key: "1"                      # waits for a key of the agent's; the last line is said again without it
        within_ms: 5000
        attempts: 2
      - noise: cough                       # or click, babble, music, beep, fax, hum, pink, white
        ms: 300
      - wait_ms: 2000
      - hang_up: after_reply               # or: now
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml

from telephony_agent.errors import TelephonyAgentError
from telephony_agent.simulator import script
from telephony_agent.simulator.noises import KINDS


class ScriptError(TelephonyAgentError):
    """A caller script can't be used; the message names the script, the place in it and the fix."""

    code = "script"


def shipped_names() -> tuple[str, ...]:
    """List the scripts that come with the package."""
    return shipped_in("scripts")


def load(name_or_path: str) -> script.Script:
    """Read a shipped script by its name, or any script by its path.

    Raises:
        ScriptError: there is none, or it is wrong.
    """
    return parse(*read(name_or_path, "scripts", "caller script"))


def shipped_in(folder: str) -> tuple[str, ...]:
    """List what comes with the package in a folder of YAML files, by names without ``.yaml``."""
    items = (resources.files("telephony_agent.simulator") / folder).iterdir()
    return tuple(sorted(item.name.removesuffix(".yaml") for item in items if item.name.endswith(".yaml")))


def read(name_or_path: str, folder: str, kind: str) -> tuple[str, str]:
    """Read a shipped file of a folder by its name, or any file by its path; return its name and its text.

    Raises:
        ScriptError: there is none; the message says what ``kind`` of file was wanted, and which ship.
    """
    shipped = shipped_in(folder)
    if name_or_path in shipped:
        source = resources.files("telephony_agent.simulator") / folder / f"{name_or_path}.yaml"
        return name_or_path, source.read_text(encoding="utf-8")
    path = Path(name_or_path)
    try:
        return path.stem, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"no {kind} {name_or_path!r}: give a file or one of {', '.join(shipped)}") from error


def parse(name: str, text: str) -> script.Script:
    """Read a script.

    Raises:
        ScriptError: not YAML, an unknown or missing key, or a value of the wrong kind.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScriptError(f"script {name}: not YAML: {error}") from error
    reader = _Reader(f"script {name}")
    table = reader.table(document, "the file", required={"steps"}, optional=_SCRIPT_KEYS)
    steps: list[object] = reader.checked(table["steps"], list, "steps")
    return script.Script(
        name=name,
        steps=tuple(reader.step(item, f"steps[{index}]") for index, item in enumerate(steps)),
        about=reader.checked(table.get("about", ""), str, "about"),
        voice=reader.voice(table),
        expect=reader.expect(table.get("expect", {})),
        noise=reader.noise(table["noise"]) if "noise" in table else None,
        echo=reader.echo(table["echo"]) if "echo" in table else None,
        patience_ms=reader.whole(table.get("patience_ms", _USUAL.patience_ms), "patience_ms"),
        give_up_ms=reader.whole(table.get("give_up_ms", _USUAL.give_up_ms), "give_up_ms"),
        limit_ms=reader.whole(table.get("limit_ms", _USUAL.limit_ms), "limit_ms"),
    )


_USUAL: Final = script.Script("", ())
_SCRIPT_KEYS: Final = frozenset(
    {"about", "voice", "rate", "pitch", "noise", "echo", "expect", "patience_ms", "give_up_ms", "limit_ms"}
)
_KEYPAD: Final = frozenset("0123456789*#ABCD")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Checks values and says where a wrong one stands."""

    where: str

    def fail(self, place: str, fix: str) -> ScriptError:
        return ScriptError(f"{self.where}: {place}: {fix}")

    def checked(self, value: object, kind: type, place: str) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fail(place, f"must be {_KIND_NAMES[kind]}, not {value!r}")
        return value

    def table(
        self, value: object, place: str, *, required: set[str] | frozenset[str], optional: frozenset[str]
    ) -> dict[str, Any]:
        table: dict[str, Any] = self.checked(value, dict, place)
        if unknown := table.keys() - required - optional:
            allowed = ", ".join(sorted(required | optional))
            raise self.fail(place, f"unknown key {min(map(str, unknown))!r}; allowed: {allowed}")
        if missing := required - table.keys():
            raise self.fail(place, f"needs {min(missing)!r}")
        return table

    def whole(self, value: object, place: str) -> int:
        number: int = self.checked(value, int, place)
        if number < 0:
            raise self.fail(place, f"must not be negative, not {number}")
        return number

    def decibels(self, value: object, place: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or value > 0:
            raise self.fail(place, f"must be a level of 0 dB or less, not {value!r}")
        return float(value)

    def voice(self, table: Mapping[str, Any]) -> script.Voice:
        usual = script.Voice()
        pitch = self.checked(table.get("pitch", usual.pitch), int, "pitch")
        if not 0 <= pitch <= 99:
            raise self.fail("pitch", f"must be from 0 to 99, not {pitch}")
        rate = self.checked(table.get("rate", usual.rate), int, "rate")
        if not 80 <= rate <= 450:
            raise self.fail("rate", f"must be from 80 to 450 words a minute, not {rate}")
        return script.Voice(self.checked(table.get("voice", usual.name), str, "voice"), rate, pitch)

    def expect(self, value: object) -> script.Expect:
        table = self.table(value, "expect", required=set(), optional=frozenset({"ended_by", "reasons", "utterances"}))
        ended_by = table.get("ended_by", script.Side.AGENT)
        if ended_by not in tuple(script.Side):
            raise self.fail("expect.ended_by", f"must be one of {', '.join(script.Side)}, not {ended_by!r}")
        reasons: list[object] = self.checked(table.get("reasons", []), list, "expect.reasons")
        return script.Expect(
            script.Side(ended_by),
            tuple(self.checked(reason, str, "expect.reasons") for reason in reasons),
            self.whole(table.get("utterances", 1), "expect.utterances"),
        )

    def noise(self, value: object) -> script.Noise:
        table = self.table(value, "noise", required={"kind"}, optional=frozenset({"dbov"}))
        return script.Noise(self.kind(table["kind"], "noise.kind"), self.decibels(table.get("dbov", -60), "noise.dbov"))

    def echo(self, value: object) -> script.Echo:
        table = self.table(value, "echo", required={"db", "delay_ms"}, optional=frozenset())
        return script.Echo(self.decibels(table["db"], "echo.db"), self.whole(table["delay_ms"], "echo.delay_ms"))

    def kind(self, value: object, place: str) -> str:
        if not isinstance(value, str) or value not in KINDS:
            raise self.fail(place, f"must be one of {', '.join(KINDS)}, not {value!r}")
        return value

    def step(self, value: object, place: str) -> script.Step:
        table: dict[str, Any] = self.checked(value, dict, place)
        readers: dict[str, Callable[[object, str], script.Step]] = {
            "say": self.say_step,
            "keys": self.keys_step,
            "hear_key": self.hear_key_step,
            "noise": self.noise_step,
            "wait_ms": self.wait_step,
            "hang_up": self.hang_up_step,
        }
        for key, read in readers.items():
            if key in table:
                return read(table, place)
        raise self.fail(place, f"must hold one of {', '.join(readers)}")

    def say_step(self, value: object, place: str) -> script.SayStep:
        table = self.table(value, place, required={"say"}, optional=frozenset({"interrupt_ms", "answered", "at_once"}))
        said = table["say"]
        pieces = said if isinstance(said, list) else [said]
        texts = [piece for piece in pieces if isinstance(piece, str) and piece.strip()]
        if not texts or not all(isinstance(piece, str) or type(piece) is int for piece in pieces):
            raise self.fail(f"{place}.say", f"must be a text, or a list of texts and pauses in ms, not {said!r}")
        return script.SayStep(
            pieces=tuple(pieces),
            interrupt_ms=self.interruption(table, place),
            answered=self.flag(table, "answered", place, usual=True),
            at_once=self.flag(table, "at_once", place, usual=False),
        )

    def keys_step(self, value: object, place: str) -> script.KeysStep:
        table = self.table(value, place, required={"keys"}, optional=frozenset({"answered"}))
        keys = self.keypad(table["keys"], f"{place}.keys")
        return script.KeysStep(keys, self.flag(table, "answered", place, usual=True))

    def hear_key_step(self, value: object, place: str) -> script.HearKeyStep:
        table = self.table(value, place, required={"hear_key"}, optional=frozenset({"within_ms", "attempts"}))
        usual = script.HearKeyStep("1")
        return script.HearKeyStep(
            key=self.keypad(table["hear_key"], f"{place}.hear_key"),
            within_ms=self.whole(table.get("within_ms", usual.within_ms), f"{place}.within_ms"),
            attempts=self.whole(table.get("attempts", usual.attempts), f"{place}.attempts"),
        )

    def noise_step(self, value: object, place: str) -> script.NoiseStep:
        table = self.table(value, place, required={"noise", "ms"}, optional=frozenset({"dbov", "interrupt_ms"}))
        return script.NoiseStep(
            self.kind(table["noise"], f"{place}.noise"),
            self.whole(table["ms"], f"{place}.ms"),
            self.decibels(table.get("dbov", -24), f"{place}.dbov"),
            self.interruption(table, place),
        )

    def wait_step(self, value: object, place: str) -> script.WaitStep:
        table = self.table(value, place, required={"wait_ms"}, optional=frozenset())
        return script.WaitStep(self.whole(table["wait_ms"], f"{place}.wait_ms"))

    def hang_up_step(self, value: object, place: str) -> script.HangUpStep:
        when = self.table(value, place, required={"hang_up"}, optional=frozenset())["hang_up"]
        if when not in ("now", "after_reply"):
            raise self.fail(f"{place}.hang_up", f"must be now or after_reply, not {when!r}")
        return script.HangUpStep(when == "after_reply")

    def interruption(self, table: Mapping[str, Any], place: str) -> int | None:
        value = table.get("interrupt_ms")
        return None if value is None else self.whole(value, f"{place}.interrupt_ms")

    def keypad(self, value: object, place: str) -> str:
        keys: str = self.checked(value, str, place)
        if not keys or not set(keys) <= _KEYPAD:
            raise self.fail(place, f'must be a quoted text of 0-9, *, # and A-D, not "{keys}"')
        return keys

    def flag(self, table: Mapping[str, Any], key: str, place: str, *, usual: bool) -> bool:
        value: bool = self.checked(table.get(key, usual), bool, f"{place}.{key}")
        return value


_KIND_NAMES: Final[Mapping[type, str]] = {
    dict: "a table of keys",
    list: "a list",
    str: "a text",
    int: "a whole number",
    bool: "true or false",
}
