"""Telephone numbers as the store compares them: E.164, one spelling a number."""

from __future__ import annotations

import re

from telephony_agent.store.errors import NumberError

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_DECORATION = re.compile(r"[\s().\-/\u00a0\u2010-\u2015]+")


def e164(text: str) -> str:
    """Return a number's one spelling: ``"+1 (500) 555-0006"`` gives ``"+15005550006"``.

    A number without its country (``+`` or ``00``) is refused: guessing the country could dial a stranger.

    Raises:
        NumberError: the text is no number in E.164; the message shows at most its last four characters.
    """
    bare = _DECORATION.sub("", text)
    if bare.startswith("00"):
        bare = "+" + bare[2:]
    if not bare.isascii() or not _E164.fullmatch(bare):
        shown = f"…{text.strip()[-4:]}" if text.strip() else "an empty text"
        raise NumberError(f"{shown} is no telephone number in E.164: write + and the country code, like +15005550006")
    return bare
