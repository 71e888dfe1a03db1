"""What a peer could send to do harm: messages that the agent bears, and messages that end their stream.

All of it follows from a seed, so that what was found once is found again.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

from telephony_agent.core.media_stream import MAX_MESSAGE_BYTES, MAX_PAYLOAD_BYTES

SPEECH = base64.b64encode(bytes([0x15, 0x95] * 80)).decode()
"""A frame as loud as it can be."""
SILENCE = base64.b64encode(b"\xff" * 160).decode()
KEYS = "0123456789*#ABCD"
HALF_A_CHARACTER = "\ud800"
NUMBERS: tuple[Any, ...] = (0, -1, 1.5, "", "x", "-5", "१", "9" * 13, 10**12, 10**4000, None, True, [], {}, "1e3", " 1")
SHAPES: tuple[Any, ...] = (None, 0, "text", True, [], [[]], {}, {"": {}}, HALF_A_CHARACTER)


def _message(event: str, sid: str, **rest: Any) -> dict[str, Any]:
    return {"event": event, "sequenceNumber": "2", "streamSid": sid, **rest}


def _media(sid: str, timestamp: Any, payload: Any, **rest: Any) -> dict[str, Any]:
    return _message(
        "media", sid, media={"track": "inbound", "chunk": "1", "timestamp": timestamp, "payload": payload} | rest
    )


def tolerated(seed: int, sid: str) -> Iterator[str]:
    """Yield, without end, messages that are odd, late, doubled, out of order or pointless, and do not end a stream."""
    rng = random.Random(seed)
    timestamp_ms = 155
    while True:
        timestamp_ms += rng.choice((0, 20, 20, 20, 20, 40, 2000, -2000, 10**6))
        timestamp_ms = max(0, timestamp_ms) % 10**11
        at = rng.choice((str(timestamp_ms), timestamp_ms))
        odd = base64.b64encode(rng.randbytes(rng.choice((0, 1, 7, 159, 161, 4000)))).decode()
        yield json.dumps(
            rng.choice(
                (
                    _media(sid, at, SPEECH),
                    _media(sid, at, SILENCE),
                    _media(sid, at, odd),
                    _media(sid, at, "", extra={"deep": [[[[]]]]}),
                    _media("", at, SPEECH) | {"event": "odd"},
                    _media(sid, "not read", "not read", track="outbound"),
                    _message("mark", sid, mark={"name": rng.choice(("t0p1", "t1p1", "t9p9", "", "x" * 1000))}),
                    _message("dtmf", sid, dtmf={"digit": rng.choice(KEYS)})
                    | {"sequenceNumber": rng.choice(SHAPES[:4])},
                    {"event": rng.choice(("odd", "", "stopped", "clear", "x" * 10_000)), "media": rng.choice(SHAPES)},
                )
            )
        )


def refused(seed: int, sid: str) -> Iterator[str | bytes]:
    """Yield, without end, messages of which each one ends a stream that has started."""
    rng = random.Random(seed)
    while True:
        yield rng.choice((_broken_text, _broken_shape, _broken_media, _out_of_place))(rng, sid)


def _broken_text(rng: random.Random, sid: str) -> str | bytes:
    whole = json.dumps(_media(sid, "5", SPEECH))
    return rng.choice(
        (
            rng.randbytes(rng.randrange(1, 200)),
            whole.encode(),
            whole[: rng.randrange(0, len(whole) - 1)],
            whole + rng.choice(("}", ",", "\0", whole)),
            whole.replace('"', "'"),
            "[" * rng.choice((1, 1000, 60_000)),
            '{"event":' * 5000,
            "x" * (MAX_MESSAGE_BYTES + 1),
            json.dumps("9" * MAX_MESSAGE_BYTES),
            '{"event": "media", "media": {"timestamp": ' + "9" * 5000 + "}}",
            rng.choice(("", " ", "null", "true", "NaN", "-0", "[]", '""', "\ufeff{}")),
        )
    )


def _broken_shape(rng: random.Random, sid: str) -> str:
    event = rng.choice(("media", "mark", "dtmf"))
    wrong = [shape for shape in SHAPES if not isinstance(shape, dict)]
    return json.dumps(
        rng.choice(
            (
                _message(event, sid),
                _message(event, sid, **{event: rng.choice(SHAPES)}),
                _message(event, rng.choice(wrong), **{event: {"name": "a", "digit": "1"}}),
                _message("mark", sid, mark={"name": rng.choice([None, 5, [], {}, HALF_A_CHARACTER])}),
                _message(
                    "dtmf", sid, dtmf={"digit": rng.choice((None, 5, "", "11", "E", "a", "١", [], HALF_A_CHARACTER))}
                ),
                {"event": rng.choice([shape for shape in SHAPES if not isinstance(shape, str)])},
                {"event": HALF_A_CHARACTER},
                {},
            )
        )
    )


def _broken_media(rng: random.Random, sid: str) -> str:
    too_long = base64.b64encode(b"\x15" * (MAX_PAYLOAD_BYTES + 1)).decode()
    numbers = [number for number in NUMBERS if number != 0 or isinstance(number, bool)]
    number = rng.choice(numbers)
    if number == 10**4000:
        return json.dumps(_media(sid, "_", SPEECH)).replace('"_"', "1" + "0" * 4000)
    return json.dumps(
        rng.choice(
            (
                _media(sid, number, SPEECH),
                _media(sid, "5", rng.choice((None, 5, "?", "A", "A===", "===", "ÿ", [], too_long))),
                _media(f"{sid}0", "5", SPEECH),
            )
        )
    )


def _out_of_place(rng: random.Random, sid: str) -> str:
    start = {"streamSid": sid, "callSid": "CA" + "0" * 32, "accountSid": "AC", "mediaFormat": {}}
    return json.dumps(
        rng.choice(
            (
                {"event": "connected", "protocol": "Call", "version": "1.0.0"},
                _message("start", sid, start=start),
                _message("start", sid),
                _message("stop", f"{sid}x", stop={}),
            )
        )
    )
