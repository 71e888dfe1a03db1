"""Cursors: where a page ended, as a text that means nothing to who carries it to the next request."""

from __future__ import annotations

import base64
import binascii
import json

from telephony_agent.store.errors import CursorError

MAX_PAGE = 500


def encode_cursor(*position: str | int) -> str:
    """Return a cursor for a position, which is the sort key of the page's last record."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> tuple[str | int, ...]:
    """Return the position that a cursor holds, one value of each kind.

    Raises:
        CursorError: we never gave that cursor out.
    """
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise CursorError("the cursor is not one that a page gave out") from error
    if not isinstance(position, list) or [type(value) for value in position] != list(kinds):
        raise CursorError("the cursor is not one that this list's pages give out")
    return tuple(position)


def page_size(limit: int) -> int:
    """Return a limit that one answer can bear."""
    return max(1, min(limit, MAX_PAGE))
