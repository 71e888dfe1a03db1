"""Logging: loguru with one sink, text or flat JSON; what must not be logged is masked here.

The message of a record is a fixed phrase, everything else are fields (``logger.bind(call_sid=...)``). Media frames are
never logged. Records of the standard library's loggers (uvicorn's among them) come out of the same sink.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

_BRIDGED = ("uvicorn", "uvicorn.error", "uvicorn.access")


def set_up_logging(level: str, *, as_json: bool) -> None:
    """Send all log records to standard error, as text or as one flat JSON object a line."""
    logger.remove()
    if as_json:
        logger.add(_write_json, level=level, diagnose=False)
    else:
        logger.add(sys.stderr, level=level, format=_text_format, diagnose=False)
    logging.root.handlers = [_Bridge()]
    logging.root.setLevel(logging.INFO)
    for name in _BRIDGED:
        bridged = logging.getLogger(name)
        bridged.handlers = []
        bridged.propagate = True
    # Access lines carry nothing that our own records don't say better.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


def mask_number(number: str) -> str:
    """Keep the last four digits of a telephone number."""
    return f"…{number[-4:]}" if len(number) > 4 else number


def _text_format(record: Record) -> str:
    fields = " ".join(f"{key}={{extra[{key}]}}" for key in record["extra"])
    return f"{{time:HH:mm:ss.SSS}} {{level:<7}} {{message}} <dim>{fields}</dim>\n{{exception}}"


def _write_json(message: Message) -> None:
    record = message.record
    line: dict[str, Any] = {
        "time": record["time"].isoformat(),
        "level": record["level"].name,
        "message": record["message"],
        **record["extra"],
    }
    if record["exception"] is not None:
        line["exception"] = str(record["exception"])
    sys.stderr.write(json.dumps(line, default=str) + "\n")


class _Bridge(logging.Handler):
    """Hands the standard library's records to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        level: str | int = record.levelname if record.levelname in logging.getLevelNamesMapping() else record.levelno
        logger.opt(exception=record.exc_info, depth=6).log(level, record.getMessage())
